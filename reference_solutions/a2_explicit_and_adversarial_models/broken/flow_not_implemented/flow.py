"""A normalising flow. Fill in every place that raises NotImplementedError.

The two names that are graded are Flow and train_flow; everything else may be changed, renamed or removed.
Letters in comments: B points, d dimensions. z is of the base law N(0, I), x is data; everything in nats.
"""

from torch import nn


class Flow(nn.Module):
    """log p(x) = log N(z; 0, I) + log |det dz/dx| with z = inverse(x)."""

    def __init__(self, config):
        """config has data_dim (d), and width and layers for your networks, if you like them."""
        super().__init__()
        self.data_dim = config.data_dim
        # a list of coupling layers: which half is kept has to change from layer to layer
        raise NotImplementedError("Flow.__init__")

    def inverse(self, x):
        """From data to the base law. x: (B, d) -> z: (B, d), log |det dz/dx|: (B,)."""
        raise NotImplementedError("Flow.inverse")

    def forward(self, z):
        """From the base law to data. z: (B, d) -> x: (B, d). Undoes inverse: layers in the opposite order."""
        raise NotImplementedError("Flow.forward")

    def log_prob(self, x):
        """x: (B, d) -> (B,): the log-density, with the constant of the Gaussian."""
        raise NotImplementedError("Flow.log_prob")

    def sample(self, n, generator):
        """n new points: (n, d). Draw z from N(0, I) with `generator`."""
        raise NotImplementedError("Flow.sample")


def train_flow(model, data, *, budget, device, generator):
    """Train `model` in place.

    data: (N, d). budget.steps, budget.batch: how many steps, of how many points. budget.wall_s: when this
    many seconds have passed, the process is ended. device: "cpu" or "cuda".
    generator: a torch.Generator; draw the batches with it, so that two runs agree.

    Returns the list of the losses (negative log-likelihood, mean over the batch), one float per step.
    """
    raise NotImplementedError("train_flow")
