"""Asks a submission questions and measures the answers: one examination is one trusted process."""
