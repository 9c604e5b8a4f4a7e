"""Reference: n-gram language models from counts, smoothed two ways.

Add-s smoothing is the posterior mean under a Dirichlet prior (Lidstone 1920); the mixture of orders follows
Witten & Bell 1991 (IEEE Transactions on Information Theory 37(4), method C), as Chen & Goodman 1999 write it.
N tokens, n the order, B contexts, V symbols, U different contexts.
"""

import torch


class Counts:
    """How often each symbol followed each context of n - 1 symbols; only contexts that occurred are kept."""

    def __init__(self, tokens, n, vocab_size):
        pieces = tokens.unfold(0, n, 1)  # (N - n + 1, n): every piece of n symbols in a row
        powers = torch.arange(n - 2, -1, -1, device=tokens.device)  # (n - 1,): n - 2, ..., 1, 0
        self.place_values = vocab_size**powers  # (n - 1,)
        numbers = self.number(pieces[:, :-1])  # (N - n + 1,)
        self.contexts, rows = numbers.unique(return_inverse=True)  # (U,) sorted; (N - n + 1,)
        cells = rows * vocab_size + pieces[:, -1]  # (N - n + 1,): where in the table each piece is counted
        counted = cells.bincount(minlength=len(self.contexts) * vocab_size)  # (U V,)
        self.table = counted.reshape(-1, vocab_size).float()  # (U, V)

    def number(self, context):
        """Read each context as a number in base V: (B, n - 1) -> (B,)."""
        return (context * self.place_values).sum(-1)

    def after(self, context):
        """(B, n - 1) -> (B, V); zeros for a context that never occurred."""
        numbers = self.number(context)  # (B,)
        rows = torch.searchsorted(self.contexts, numbers).clamp(max=len(self.contexts) - 1)  # (B,)
        occurred = self.contexts[rows] == numbers  # (B,)
        return self.table[rows] * occurred.unsqueeze(-1)  # (B, V)


class NGram:
    """p(w | h) = (c(h, w) + s) / (c(h) + s V)."""

    def __init__(self, counts, smoothing):
        self.counts = counts
        self.smoothing = smoothing

    def log_probs(self, context):
        smoothed = torch.ones_like(self.counts.after(context))  # (B, V)
        return (smoothed / smoothed.sum(-1, keepdim=True)).log()  # (B, V), rows of probabilities sum to 1


class InterpolatedNGram:
    """p_k(w | h) = (c(h, w) + T(h) p_(k-1)(w | h without its oldest symbol)) / (c(h) + T(h)).

    T(h) is the number of different symbols seen after h: where many different ones came, another new one is
    likely, and the shorter context gets more weight. p_0 is uniform.
    """

    def __init__(self, counts):
        self.counts = counts  # of the orders 1 to n

    def log_probs(self, context):
        length = context.shape[1]  # n - 1
        p = 1 / self.counts[0].table.shape[1]  # uniform: 1 / V for every symbol
        for k, counts in enumerate(self.counts):  # the last k symbols are the context
            c = counts.after(context[:, length - k :])  # (B, V)
            kinds = (c > 0).sum(-1, keepdim=True)  # (B, 1)
            total = (c.sum(-1, keepdim=True) + kinds).clamp(min=1)  # (B, 1)
            p = torch.where(kinds > 0, (c + kinds * p) / total, p)  # (B, V)
        return torch.ones_like(p).log_softmax(-1)


def fit_ngram(tokens, n, vocab_size, smoothing):
    """Count the pieces of n symbols in `tokens` (N,) and add `smoothing` to each count."""
    return NGram(Counts(tokens, n, vocab_size), smoothing)


def fit_interpolated(tokens, n, vocab_size):
    """Count the pieces of 1, 2, ..., n symbols in `tokens` (N,)."""
    return InterpolatedNGram([Counts(tokens, k, vocab_size) for k in range(1, n + 1)])
