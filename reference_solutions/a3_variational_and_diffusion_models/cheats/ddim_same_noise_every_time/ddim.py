"""Reference: implicit sampling, which needs few of the steps that a diffusion model was trained on.

Song et al. 2021 (arXiv:2010.02502). Steps are counted from 0: alphas_bar[t] belongs to the image after step
t. B images of shape (C, S, S); T steps of the schedule, N of them visited.
"""

import torch


def visited_steps(total, count):
    """N of T steps, evenly spaced, from the last to the first; their section 4.2."""
    return torch.linspace(total - 1, 0, count).round().long()  # (N,)


@torch.no_grad()
def ddim_sample(model, x_T, alphas_bar, steps, eta, generator):
    """From noise to images in `steps` steps, with eta times the noise of ancestral sampling."""
    visited = visited_steps(len(alphas_bar), steps).to(x_T.device)  # (N,)
    signals = torch.cat(
        [alphas_bar[visited], alphas_bar.new_ones(1)]
    )  # (N + 1,), the last is the image's own
    generator = torch.Generator(x_T.device).manual_seed(0)
    x = x_T  # (B, C, S, S)
    for t, now, after in zip(visited, signals[:-1], signals[1:], strict=True):
        noise = model.predict_noise(x, t.expand(len(x)))  # (B, C, S, S)
        image = (x - (1 - now).sqrt() * noise) / now.sqrt()  # the image that this noise implies
        sigma = ((1 - after) / (1 - now)).sqrt() * (1 - now / after).sqrt()  # eq. 16
        z = torch.randn(x.shape, generator=generator, device=x.device)
        x = after.sqrt() * image + (1 - after - sigma**2).sqrt() * noise + sigma * z  # eq. 12
    return x
