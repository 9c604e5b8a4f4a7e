"""Counting, step by step."""


def add(a, b):
    return sum((a, b))


def mean_of(numbers):
    total = 0.0
    for number in numbers:
        total += number / len(numbers)
    return total
