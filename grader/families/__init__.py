"""What the examiner knows about each family of models: questions to a submission in, trusted figures out."""
