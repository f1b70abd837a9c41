"""What an answer is compared with: cases, expected gradients, tolerances, and the comparison of one answer.

Why an answer is wrong is not said here but in ``grader.hints``.
"""
