"""One submission from sandbox to scorecard: engine, judge, plan (which functions share a box), runner, training.

Many submissions at once are graded by ``grader.batch``.
"""
