"""Grades courses on generative models: sandboxed runs, trusted measurements, marks with evidence."""

__version__ = "0.5.0.dev0"
