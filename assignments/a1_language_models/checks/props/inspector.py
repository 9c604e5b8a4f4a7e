"""A model of the submission in, what torch knows about its parameters out. Runs beside the submission."""

from torch.nn import functional


def parameter_names(model):
    """Names of everything that an optimiser would change; tied ones under each of their names."""
    return [name for name, value in model.named_parameters(remove_duplicate=False) if value.requires_grad]


def parameter_gradients(model, tokens, targets):
    """Gradient of the mean code length in nats, for each parameter that it reaches.

    tokens, targets: (B, T) int64.
    """
    model.zero_grad()
    loss = functional.cross_entropy(_logits(model(tokens)).flatten(0, 1), targets.flatten())
    if loss.requires_grad:
        loss.backward()
    parameters = model.named_parameters(remove_duplicate=False)
    return {name: value.grad for name, value in parameters if value.grad is not None}


def _logits(answer):
    if isinstance(answer, tuple | list):
        return answer[0]
    return answer["logits"] if isinstance(answer, dict) else getattr(answer, "logits", answer)
