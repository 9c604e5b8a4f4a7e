"""n-gram models in plain Python: a dictionary from context to a dictionary from symbol to count."""

import math
from collections import Counter, defaultdict

import torch


def count(tokens, n):
    table = defaultdict(Counter)
    text = tokens.tolist()
    for i in range(len(text) - n + 1):
        table[tuple(text[i : i + n - 1])][text[i + n - 1]] += 1
    return table


class NGram:
    def __init__(self, tokens, n, vocab_size, smoothing):
        self.table = count(tokens, n)
        self.vocab_size = vocab_size
        self.smoothing = smoothing

    def one(self, context):
        c = self.table.get(tuple(context), Counter())
        total = sum(c.values()) + self.smoothing * self.vocab_size
        return [math.log((c[w] + self.smoothing) / total) for w in range(self.vocab_size)]

    def log_probs(self, context):
        return torch.tensor([self.one(row) for row in context.tolist()], dtype=torch.float32)


class InterpolatedNGram:
    def __init__(self, tokens, n, vocab_size):
        self.tables = [count(tokens, k) for k in range(1, n + 1)]
        self.vocab_size = vocab_size

    def one(self, context):
        p = [1 / self.vocab_size] * self.vocab_size
        for k, table in enumerate(self.tables):
            c = table.get(tuple(context[len(context) - k :]))
            if c:
                total = sum(c.values()) + len(c)
                p = [(c[w] + len(c) * p[w]) / total for w in range(self.vocab_size)]
        return [math.log(value) for value in p]

    def log_probs(self, context):
        return torch.tensor([self.one(row) for row in context.tolist()], dtype=torch.float64)


def fit_ngram(tokens, n, vocab_size, smoothing):
    return NGram(tokens, n, vocab_size, smoothing)


def fit_interpolated(tokens, n, vocab_size):
    return InterpolatedNGram(tokens, n, vocab_size)
