"""Where examples come from: packaged images, corpus files, sources of known entropy. No network."""
