"""Data that comes with installed packages, split and prepared by seed; nothing is downloaded."""
