"""One submission from sandbox to scorecard: the engine, the judge, the plan of who shares a box, and the runner.

Many submissions at once are the business of ``grader.batch``.
"""
