"""Runs untrusted code where it can do no harm, and carries arrays across one channel."""
