"""``grade watch``: it keeps an engine warm, notices saves, and compares and shows results.

What need not be asked again after a save is decided in ``grader.grading.incremental``.
"""
