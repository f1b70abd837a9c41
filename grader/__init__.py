"""An auto-grader for backprop written by hand."""

__version__ = "0.1.0.dev0"
