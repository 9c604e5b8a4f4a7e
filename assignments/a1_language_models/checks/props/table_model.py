"""Language models whose next-token distribution is known exactly, for a submission's sampler to draw from."""


class TableModel:
    """The logits of the next token are the row of a table that the last token names."""

    def __init__(self, table, context):
        """table: (V, V) floats; context: how many tokens may be given at once."""
        self.table = table
        self.context = context

    def __call__(self, tokens):
        """tokens: (B, t) int64 -> (B, t, V)."""
        if tokens.shape[1] > self.context:
            raise ValueError(f"{tokens.shape[1]} tokens given to a model with a context of {self.context}")
        return self.table[tokens.long()]


class OldestTokenModel:
    """The logits are the row of the oldest token that was given: they tell which tokens were given."""

    def __init__(self, table):
        """table: (V, V) floats."""
        self.table = table

    def __call__(self, tokens):
        """tokens: (B, t) int64 -> (B, t, V)."""
        return self.table[tokens[:, :1].long()].expand(-1, tokens.shape[1], -1)
