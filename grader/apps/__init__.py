"""Ways in: the command line, ``grade watch``, the pytest plugin, exports, the course's audit, ``grade doctor``.

They turn words into calls of the library, and what it raises into messages. Nothing else imports them.
"""
