"""What an answer is compared with: cases, expected gradients, tolerances, and the comparison of one answer.

Why an answer is wrong is worked out in ``grader.hints``, not here; no student code runs here.
"""
