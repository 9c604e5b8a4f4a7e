"""Reference: drawing text from a language model, with temperature, top-k and top-p.

Top-k: Fan et al. 2018 (arXiv:1805.04833), section 5.4. Top-p, the nucleus: Holtzman et al. 2020
(arXiv:1904.09751), equations 2 and 3. B sequences, T positions, V symbols.
"""

import torch
from torch.nn import functional


def truncated_probabilities(logits, *, temperature, top_k=None, top_p=None):
    """Temperature first, then the k most likely, then the smallest set of these with at least top_p."""
    if temperature == 0:
        return functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)  # (B, V)
    p = (logits * temperature).softmax(-1)  # (B, V)
    ranked, order = p.sort(-1, descending=True)  # (B, V), most likely first
    if top_k is not None:
        ranked[:, top_k:] = 0  # only the k most likely stay
    ranked = ranked / ranked.sum(-1, keepdim=True)  # (B, V), of the k
    if top_p is not None:
        before = ranked.cumsum(-1) - ranked  # (B, V), what the more likely ones have together
        ranked = ranked.where(before < top_p, 0)  # (B, V), the first is always kept
    kept = torch.zeros_like(p).scatter(-1, order, ranked)  # (B, V), back to the places they came from
    return kept / kept.sum(-1, keepdim=True)


def generate(
    model, prompt, max_new_tokens, *, context, temperature=1.0, top_k=None, top_p=None, generator=None
):
    """Append one token after another, each drawn given the last `context` tokens."""
    tokens = prompt  # (B, T)
    for _ in range(max_new_tokens):
        logits = model(tokens[:, -context:])[:, -1]  # (B, V), at the last position
        p = truncated_probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p)  # (B, V)
        drawn = torch.multinomial(p, 1, generator=generator)  # (B, 1)
        tokens = torch.cat([tokens, drawn], dim=1)
    return tokens  # (B, T + max_new_tokens)
