"""How much one call may return: an honest box sends no more, and the judge refuses more from any other."""

NUMBERS_LIMIT = 1 << 20
"""Entries of everything that one call returns; the largest gradient of a course has far fewer."""

DEPTH_LIMIT = 3
"""Lists in lists."""

WIDTH_LIMIT = 64
"""Values in one list that are not plain numbers."""
