"""Ways in: the command line, ``grade watch``, the pytest plugin, exports, the course's audit, ``grade doctor``.

They turn arguments into calls of the library, and its exceptions into messages. Nothing is graded here, and no
other room imports this one.
"""
