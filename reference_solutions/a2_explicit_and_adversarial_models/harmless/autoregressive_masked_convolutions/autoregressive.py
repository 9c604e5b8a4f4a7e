"""A PixelCNN: masked convolutions in the place of masked linear layers."""

import torch
from torch import nn
from torch.nn import functional


class MaskedConvolution(nn.Conv2d):
    """Sees the rows above and what is to the left; van den Oord et al. 2016, arXiv:1601.06759."""

    def __init__(self, inputs, outputs, size, *, sees_itself):
        super().__init__(inputs, outputs, size, padding=size // 2)
        mask = torch.zeros(size, size)
        mask[: size // 2] = 1
        mask[size // 2, : size // 2 + int(sees_itself)] = 1
        self.register_buffer("mask", mask)

    def forward(self, x):
        return functional.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class AutoregressiveImage(nn.Module):
    """Three layers that see five rows up; where in the image a pixel lies is two more inputs."""

    def __init__(self, config):
        super().__init__()
        self.first = MaskedConvolution(1, 24, 7, sees_itself=False)
        self.place = nn.Parameter(torch.zeros(1, 24, config.side, config.side))
        self.second = MaskedConvolution(24, 24, 3, sees_itself=True)
        self.third = MaskedConvolution(24, 24, 3, sees_itself=True)
        self.last = nn.Conv2d(24, 1, 1)

    def logits(self, x):
        hidden = functional.relu(self.first(2 * x - 1) + self.place)  # (B, 24, H, W)
        hidden = hidden + functional.relu(self.second(hidden))
        hidden = hidden + functional.relu(self.third(hidden))
        return self.last(hidden)  # (B, 1, H, W)

    def log_prob(self, x):
        logits = self.logits(x)
        return (x * functional.logsigmoid(logits) + (1 - x) * functional.logsigmoid(-logits)).sum((1, 2, 3))


@torch.no_grad()
def sample_autoregressive(model, shape, generator):
    x = torch.zeros(shape)
    for pixel in range(shape[2] * shape[3]):
        row, column = divmod(pixel, shape[3])
        probability = torch.sigmoid(model.logits(x)[:, 0, row, column])
        x[:, 0, row, column] = (torch.rand(shape[0], generator=generator) < probability).float()
    return x


def train_autoregressive(model, data, *, budget, device, generator):
    model.train()
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=budget.steps)
    losses = []
    for _ in range(budget.steps):
        batch = data[torch.randint(len(data), (budget.batch // 2,), generator=generator)]
        loss = -model.log_prob(batch).mean() / 64
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return torch.tensor(losses)
