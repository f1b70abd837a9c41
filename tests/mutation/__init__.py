"""Mutation testing: change the grader in one place, and see whether a test notices.

``python -m tests.mutation`` makes the mutants of the modules in ``TARGETS`` by mutmut's operators and a few of
our own (``mutants``), writes one at a time into a copy of the project (``copies``), and runs that module's own
tests on it in a process forked from one that has imported torch already (``forks``), those first that reach the
changed function and are quickest (``order``). Mutmut's own runner is not used: it passes by decorated functions,
properties among them, and changes a module in memory, where the processes that student code runs in do not see it.
"""
