"""Families of hypotheses, one file each with an ``ORDER`` and a function ``explain``. A new family is a new file.

What families share (lines, pieces of the backward pass, words) lies in ``grader.hints`` itself.
"""
