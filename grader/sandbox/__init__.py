"""Where student code lives: a process apart from the judge, and the wire to it; ``box.py`` tells how it works.

Nothing here knows what is right: a box holds no answer that has still to be asked for, and the score is worked out
in ``grader.grading``. ``layers`` has one file for each layer of isolation.
"""
