"""Examinations and a rubric in, marks with reasons and final grades out. No files, no clock, no torch."""
