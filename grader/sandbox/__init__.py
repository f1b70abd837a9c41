"""Where student code lives: a process apart from the judge, which holds no answer."""
