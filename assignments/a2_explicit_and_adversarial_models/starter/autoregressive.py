"""An autoregressive model of black and white images. Fill in every place that raises NotImplementedError.

The three names that are graded are AutoregressiveImage, sample_autoregressive and train_autoregressive;
everything else may be changed, renamed or removed. Letters in comments: B images of H x W pixels, D = H W.
Pixels are ordered row by row, from the left; everything is in nats.
"""

import torch
from torch import nn


class AutoregressiveImage(nn.Module):
    """log p(x) = sum over i of log p(x_i | x_1 ... x_{i-1}), every factor a Bernoulli."""

    def __init__(self, config):
        """config has side (H = W), and width and layers for your network, if you like them."""
        super().__init__()
        # masked linear layers (MADE) or masked convolutions (PixelCNN): which connections are cut?
        raise NotImplementedError("AutoregressiveImage.__init__")

    def logits(self, x):
        """x: (B, 1, H, W) zeros and ones -> (B, 1, H, W): the logit of each pixel given those before it."""
        raise NotImplementedError("AutoregressiveImage.logits")

    def log_prob(self, x):
        """x: (B, 1, H, W) zeros and ones -> (B,): nats, one value per image."""
        raise NotImplementedError("AutoregressiveImage.log_prob")


@torch.no_grad()
def sample_autoregressive(model, shape, generator):
    """New images of zeros and ones: a tensor of the given shape (n, 1, H, W), not always square.

    Ask `model.logits(x)` for the pixels one after the other; `model` need not be yours.
    Draw with `generator`.
    """
    raise NotImplementedError("sample_autoregressive")


def train_autoregressive(model, data, *, budget, device, generator):
    """Train `model` in place.

    data: (N, 1, H, W) zeros and ones. budget.steps, budget.batch: how many steps, of how many images.
    budget.wall_s: when this many seconds have passed, the process is ended. device: "cpu" or "cuda".
    generator: a torch.Generator; draw the batches with it, so that two runs agree.

    Returns the list of the losses (negative log-likelihood, mean over the batch), one float per step.
    """
    raise NotImplementedError("train_autoregressive")
