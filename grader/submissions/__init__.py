"""What was handed in: found, unpacked and read with care; ``notebooks`` turns notebooks and scripts into stubs.

Nothing here runs a line of it. That is done in ``grader.sandbox`` alone.
"""
