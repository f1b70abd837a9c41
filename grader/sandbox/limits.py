"""How much may come back from one call: kept to by an honest box, and held by its judge against any other."""

NUMBERS_LIMIT = 1 << 20
"""Entries of all that comes back from one call; the largest gradient of a course is far smaller."""

DEPTH_LIMIT = 3
"""Lists in lists."""

WIDTH_LIMIT = 64
"""Values in one list that are not plain numbers."""
