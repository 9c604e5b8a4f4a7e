"""Classifier-free guidance of a class-conditional diffusion model. Fill in what raises NotImplementedError.

The five names that are graded are ConditionalDenoiser, drop_labels, guided_noise, sample_guided and
train_guidance; anything else is yours. Letters in comments: B images of C x S x S pixels in [-1, 1], T steps
counted from 0 (the cleanest) to T - 1 (the noisiest), labels 0 to K - 1. alphas_bar: (T,), with
x_t = sqrt(alphas_bar[t]) x_0 + sqrt(1 - alphas_bar[t]) noise.
"""

from torch import nn


class ConditionalDenoiser(nn.Module):
    """Predicts the noise in x_t from x_t, the step and a label, which may be missing."""

    def __init__(self, config):
        """config has channels (C), side (S), classes (K), steps (T), and width and layers for your use."""
        super().__init__()
        self.null_label = config.classes  # the label that means "no label"
        raise NotImplementedError("ConditionalDenoiser.__init__")

    def predict_noise(self, x_t, t, y):
        """x_t: (B, C, S, S), t: (B,) steps as int64, y: (B,) labels as int64 -> (B, C, S, S)."""
        raise NotImplementedError("ConditionalDenoiser.predict_noise")


def drop_labels(y, rate, null_label, generator):
    """Replace each label on its own by `null_label` with probability `rate`.

    y: (B,) int64 -> (B,) int64. Draw with `generator`.
    """
    raise NotImplementedError("drop_labels")


def guided_noise(model, x_t, t, y, w):
    """(1 + w) predict_noise(x_t, t, y) - w predict_noise(x_t, t, no label).

    model: anything with `predict_noise` and `null_label`; we also hand in models of ours.
    x_t: (B, C, S, S), t and y: (B,), w: a float -> (B, C, S, S)
    """
    raise NotImplementedError("guided_noise")


def sample_guided(model, x_T, y, w, alphas_bar):
    """From the noise x_T to images with labels y, by T deterministic steps with guided noise.

    x_T: (B, C, S, S), y: (B,), alphas_bar: (T,) -> (B, C, S, S)
    """
    # for t = T - 1, ..., 0, with e = guided_noise at t:
    #   the image that e implies:  x_0 = (x_t - sqrt(1 - alphas_bar[t]) e) / sqrt(alphas_bar[t])
    #   one step earlier:          sqrt(alphas_bar[t - 1]) x_0 + sqrt(1 - alphas_bar[t - 1]) e
    # and before t = 0 there is no noise at all: alphas_bar is 1 there
    raise NotImplementedError("sample_guided")


def train_guidance(model, images, labels, *, alphas_bar, budget, device, generator):
    """Train `model` in place, through `model.predict_noise` alone.

    images: (N, C, S, S) in [-1, 1], labels: (N,). budget.steps, budget.batch: how many steps, of how many
    images. budget.drop_rate: the share of labels to be dropped. budget.wall_s: when this many seconds have
    passed, the process is ended. device: "cpu" or "cuda". generator: a torch.Generator for all randomness.

    Returns the list of the losses, one float per step.
    """
    raise NotImplementedError("train_guidance")
