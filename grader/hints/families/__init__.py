"""Families of hypotheses, one file each: an ``ORDER`` and a function ``explain``, which the next file adds to.

What families share (lines, pieces of the backward pass, words) lies in ``grader.hints`` itself.
"""
