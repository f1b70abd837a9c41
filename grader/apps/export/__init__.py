"""Complete packages for places where students hand in: all that an instructor uploads, a file for each place.

How results look there is not decided here: each is a report of ``grader.reports``.
"""
