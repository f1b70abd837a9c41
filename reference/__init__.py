"""The instructor's solutions: one file per exercise, one small function per gradient."""
