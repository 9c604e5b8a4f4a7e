"""What forges record about pushes, read from their APIs or from files."""
