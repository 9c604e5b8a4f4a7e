"""The course tree that an instructor edits: strict TOML and CSV in, frozen records out."""
