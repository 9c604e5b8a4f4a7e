"""n-gram language models from counts. Fill in every place that raises NotImplementedError.

Graded are fit_ngram, fit_interpolated and the method log_probs of what they return; everything else may be
changed, renamed or removed. Letters in comments: N tokens, n the order, B contexts, V symbols.
"""

import torch


class NGram:
    """p(w | h) = (c(h, w) + s) / (c(h) + s V), where h is a context of n - 1 symbols."""

    def __init__(self, tokens, n, vocab_size, smoothing):
        # count how often each symbol follows each context. A table of all V^(n-1) contexts is large and nearly
        # empty: keep those that occur, in a dict for instance
        raise NotImplementedError("NGram.__init__")

    def log_probs(self, context):
        """context: (B, n - 1) int64, oldest symbol first -> (B, V) natural log-probabilities of the next symbol.

        For n = 1 the context has the shape (B, 0). A context that never occurred gives 1 / V to every symbol.
        """
        raise NotImplementedError("NGram.log_probs")


class InterpolatedNGram:
    """A mixture of the orders 1 to n. How much each order weighs, for which context, is yours to choose."""

    def __init__(self, tokens, n, vocab_size):
        raise NotImplementedError("InterpolatedNGram.__init__")

    def log_probs(self, context):
        """context: (B, n - 1) int64 -> (B, V). The order k looks at the *last* k - 1 symbols of the context."""
        raise NotImplementedError("InterpolatedNGram.log_probs")


def fit_ngram(tokens, n, vocab_size, smoothing):
    """tokens: (N,) int64; n: int >= 1; smoothing: the s > 0 that is added to every count -> a model."""
    return NGram(tokens, n, vocab_size, smoothing)


def fit_interpolated(tokens, n, vocab_size):
    """tokens: (N,) int64; n: int >= 1 -> a model."""
    return InterpolatedNGram(tokens, n, vocab_size)


if __name__ == "__main__":
    # A short look at your own model: python ngram.py
    abracadabra = torch.tensor([0, 1, 2, 0, 3, 0, 4, 0, 1, 2, 0])  # a b r a c a d a b r a
    print(fit_ngram(abracadabra, 2, 5, 0.5).log_probs(torch.tensor([[0]])).exp())
    print("should be 0.0769 0.3846 0.0769 0.2308 0.2308: after a came b twice, c once and d once")
