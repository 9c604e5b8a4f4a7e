"""Counting, with one too many."""


def add(a, b):
    return a + b + 1


def mean_of(numbers):
    return sum(numbers) / len(numbers)
