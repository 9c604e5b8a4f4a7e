"""Fill the holes."""


def softmax(x):
    raise NotImplementedError


def distances(a, b):
    raise NotImplementedError


def log_sum_exp(x):
    raise NotImplementedError


def gaussian_kl(mu, logvar):
    raise NotImplementedError


def fit_line(x, y, steps, lr):
    raise NotImplementedError
