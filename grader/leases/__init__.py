"""Keys of examinations in; attempts under leases, and results that are stored exactly once, out."""
