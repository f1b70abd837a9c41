"""A class: executors and their workers, the results that are kept, the gradebook, and the delivery of reports.

What becomes of one submission is decided in ``grader.grading``; what a report looks like in ``grader.reports``.
"""
