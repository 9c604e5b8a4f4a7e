"""Deadline audits: which commit counts for whom, on what evidence, and what else was there."""
