"""A class: executors and their workers, the results that are kept, the gradebook, and the delivery of reports.

One submission is graded in ``grader.grading``, not here; ``grader.reports`` decides what a report looks like.
"""
