"""Complete packages for the places where students hand in: all that an instructor uploads."""
