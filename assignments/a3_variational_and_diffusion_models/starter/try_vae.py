"""Train your VAE on digits and look at it: `python try_vae.py`, about ten seconds. Not graded."""

from types import SimpleNamespace

import torch
from sklearn.datasets import load_digits
from vae import VAE, train_vae

CONFIG = SimpleNamespace(data_dim=64, latent_dim=8, hidden_dim=128)
BUDGET = SimpleNamespace(steps=2000, batch=128, wall_s=60)


def black_and_white_digits(draws):
    """(draws * 1797, 64) zeros and ones: dark and bright pixels are certain, the greys between are chance."""
    grey = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    return torch.bernoulli((2 * grey - 0.5).clamp(0, 1).repeat(draws, 1))


def show(image):
    """Print 64 pixel probabilities as eight lines of text."""
    for row in image.reshape(8, 8):
        print("".join(" .:*#"[min(4, int(5 * pixel))] * 2 for pixel in row))


def main():
    data = black_and_white_digits(draws=4)
    model = VAE(CONFIG)
    losses = train_vae(model, data, budget=BUDGET, device="cpu", generator=torch.Generator().manual_seed(0))
    print(f"negative ELBO of the first step {losses[0]:.1f}, of the last ones {sum(losses[-50:]) / 50:.1f} nats")
    model.eval()
    with torch.no_grad():
        x = data[:500]
        one = model.iwae(x, torch.randn(1, 500, CONFIG.latent_dim)).mean()
        many = model.iwae(x, torch.randn(50, 500, CONFIG.latent_dim)).mean()
        print(f"bound with 1 draw {one:.2f}, with 50 draws {many:.2f} nats")
        for image in model.sample(3, torch.Generator().manual_seed(1)):
            show(image)
            print()


if __name__ == "__main__":
    main()
