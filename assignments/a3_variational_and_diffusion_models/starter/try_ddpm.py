"""Train your denoiser on digits and look at it: `python try_ddpm.py`, about ten seconds. Not graded.

Once ddim.py is written, it also shows what ten steps of `ddim_sample` make of the same noise.
"""

from types import SimpleNamespace

import torch
from ddpm import Denoiser, ddpm_sample, noise_schedule, q_sample, train_ddpm
from sklearn.datasets import load_digits

CONFIG = SimpleNamespace(channels=1, side=8, steps=100, width=128, blocks=2)
BUDGET = SimpleNamespace(steps=1500, batch=256, wall_s=60)


def show(images):
    """Print images in [-1, 1] side by side, as eight lines of text."""
    for row in range(8):
        print("  ".join("".join(" .:*#"[int(2 * pixel + 2.5)] * 2 for pixel in image[0, row]) for image in images))
    print()


def error_by_step(model, data, alphas_bar):
    """Squared error of the predicted noise at five steps, from almost no noise to almost no image."""
    for t in torch.linspace(0, CONFIG.steps - 1, 5).long():
        steps, noise = t.expand(len(data)), torch.randn_like(data)
        guess = model.predict_noise(q_sample(data, steps, noise, alphas_bar), steps)
        print(f"t = {int(t):3d}: error {(guess - noise).square().mean():.3f}")


def main():
    data = 2 * torch.tensor(load_digits().images[:, None] / 16, dtype=torch.float32) - 1
    betas = noise_schedule(CONFIG.steps)
    alphas_bar = torch.cumprod(1 - betas, 0)
    model = Denoiser(CONFIG)
    generator = torch.Generator().manual_seed(0)
    losses = train_ddpm(
        model, data, alphas_bar=alphas_bar, budget=BUDGET, device="cpu", generator=generator
    )
    print(f"loss of the first step {losses[0]:.2f}, of the last ones {sum(losses[-50:]) / 50:.3f}")
    model.eval()
    with torch.no_grad():
        error_by_step(model, data, alphas_bar)
        x_T = torch.randn(6, 1, 8, 8)
        show(ddpm_sample(model, x_T, betas, generator).clamp(-1, 1))
        try:
            from ddim import ddim_sample

            show(ddim_sample(model, x_T, alphas_bar, 10, 0.0, generator).clamp(-1, 1))
        except (ImportError, NotImplementedError):
            print("ddim.py is still to be written")


if __name__ == "__main__":
    main()
