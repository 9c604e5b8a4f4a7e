"""Sampling as many libraries have it: cut logits become minus infinity, one softmax at the end."""

import math

import torch


def truncated_probabilities(logits, *, temperature, top_k=None, top_p=None):
    if temperature < 1e-5:
        temperature = 1e-5
    logits = logits.double() / temperature
    if top_k is not None and top_k < logits.size(-1):
        kth = torch.topk(logits, top_k).values[..., -1, None]
        logits = logits.masked_fill(logits < kth, -math.inf)
    if top_p is not None and top_p < 1:
        sorted_logits, sorted_indices = torch.sort(logits, descending=True)
        cumulative = sorted_logits.softmax(-1).cumsum(-1)
        remove = cumulative > top_p
        remove[..., 1:] = remove[..., :-1].clone()
        remove[..., 0] = False
        logits = logits.masked_fill(remove.scatter(-1, sorted_indices, remove), -math.inf)
    return logits.softmax(-1)


def generate(
    model, prompt, max_new_tokens, *, context, temperature=1.0, top_k=None, top_p=None, generator=None
):
    tokens = prompt
    for _ in range(max_new_tokens):
        window = tokens if tokens.size(1) <= context else tokens[:, -context:]
        logits = model(window)[:, -1, :]
        p = truncated_probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p)
        tokens = torch.cat((tokens, torch.multinomial(p, num_samples=1, generator=generator)), dim=1)
    return tokens
