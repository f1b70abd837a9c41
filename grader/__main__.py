"""``python -m grader`` is ``grade``."""

from grader.apps.cli import main

main()
