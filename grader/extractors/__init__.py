"""Feature spaces that samples are compared in, each with its provenance."""
