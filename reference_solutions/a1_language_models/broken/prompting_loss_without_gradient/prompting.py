"""Broken on purpose; expect.toml says what is wrong.

Scoring answers is zero- and few-shot prompting as in Brown et al. 2020 (arXiv:2005.14165), section 2.4. A
model of translations continues its source: log p(y | x) = sum over t of log p(y_t | x, y_1, ..., y_(t-1))
(Sutskever et al. 2014, arXiv:1409.3215, equation 1). `model(tokens)`: (B, T) -> logits (B, T, V).
"""

import torch


def target_log_probs(model, source, target):
    """Log-probability of every symbol of the target, given the source and the symbols before it."""
    tokens = torch.cat([source, target], dim=1)  # (B, S + T)
    logits = model(tokens[:, :-1])[:, source.shape[1] - 1 :]  # (B, T, V): what comes after x, y_1, ...
    return logits.log_softmax(-1).gather(-1, target.unsqueeze(-1)).squeeze(-1)  # (B, T)


def conditional_log_prob(model, source, target, lengths):
    """log p(target | source), over the first `lengths` symbols of each target."""
    counted = torch.arange(target.shape[1], device=target.device) < lengths.unsqueeze(1)  # (B, T)
    return target_log_probs(model, source, target).where(counted, 0.0).sum(1)  # (B,)


def sequence_loss(model, source, target, lengths):
    """Nats per symbol of all targets together: every symbol has the same weight, the source has none."""
    return -conditional_log_prob(model, source, target, lengths).sum().item() / lengths.sum()


def score_choices(model, prompt, choices, *, length_normalised=False):
    """Log-probability of each choice after the prompt; per symbol, if `length_normalised`."""
    scores = torch.stack(
        [target_log_probs(model, prompt.unsqueeze(0), choice.unsqueeze(0)).sum() for choice in choices]
    )  # (n,)
    lengths = torch.tensor([len(choice) for choice in choices], device=scores.device)
    return scores / lengths if length_normalised else scores


def few_shot_prompt(examples, question, *, separator):
    """Questions with their answers, then a question without one; each part ends with the separator."""
    end = question.new_tensor([separator])
    parts = [part for example in examples for part in example] + [question]
    return torch.cat([piece for part in parts for piece in (part, end)])
