"""The collect stage: a team and an assignment in, the commit that counts and its files out."""
