"""A denoiser whose noise is known: class k is N(mean[k], deviation[k]^2), the last row stands for "no label".

Our own, for checks of `guided_noise` and `sample_guided`; it stands in the place of a trained model.
"""

from torch import nn


class ClassGaussians(nn.Module):
    """With x_t = sqrt(a) x_0 + sqrt(1 - a) noise, the noise that is to be expected in x_t is linear in it."""

    def __init__(self, mean, deviation, alphas_bar):
        super().__init__()
        self.null_label = len(mean) - 1
        self.mean = nn.Parameter(mean.double(), requires_grad=False)  # (K + 1,)
        self.deviation = nn.Parameter(deviation.double(), requires_grad=False)  # (K + 1,)
        self.alphas_bar = nn.Parameter(alphas_bar.double(), requires_grad=False)  # (T,)

    def predict_noise(self, x_t, t, y):
        """x_t: (B, C, S, S), t: (B,), y: (B,) -> (B, C, S, S)."""
        signal, mean, deviation = (
            values[:, None, None, None] for values in (self.alphas_bar[t], self.mean[y], self.deviation[y])
        )
        variance = signal * deviation**2 + 1 - signal
        return ((1 - signal).sqrt() * (x_t - signal.sqrt() * mean) / variance).to(x_t.dtype)

    forward = predict_noise
