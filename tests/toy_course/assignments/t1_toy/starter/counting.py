"""Fill the holes."""


def add(a, b):
    raise NotImplementedError


def mean_of(numbers):
    raise NotImplementedError
