"""The result of grading, as data: what a scorecard holds, its JSON, and the schema that the JSON follows.

Nothing here grades or renders. No torch: a report is made wherever a scorecard can be read.
"""
