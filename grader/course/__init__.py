"""What is asked: a course, its exercises, their forward passes, the word list, and what an operator may set.

Drawing cases from an exercise and working out its gradients is not here but in ``grader.checks``.
"""
