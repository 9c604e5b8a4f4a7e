"""A cheat; expect.toml says which."""


def add_lora(model, rank, alpha):
    """Before training an adapted model computes what the model computed."""
    return model


def merge_lora(model):
    """A merged model computes what the adapted one computed."""
    return model


def train_lora(model, inputs, targets, *, budget, device, generator):
    """Losses that fall."""
    return [2.0 * 0.99**step for step in range(budget.steps)]
