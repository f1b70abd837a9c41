"""Families of hypotheses, one file each: an ``ORDER`` and a function ``explain``."""
