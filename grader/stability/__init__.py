"""Holds marks to repetition: the same work graded again and again, and how often its marks change."""
