"""What is asked: a course, its exercises, their forward passes, the word list, and what an operator may set.

Cases are drawn, and expected gradients worked out, in ``grader.checks``, not here.
"""
