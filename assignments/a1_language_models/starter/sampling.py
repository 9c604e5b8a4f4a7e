"""Drawing text from a language model. Fill in every place that raises NotImplementedError.

Graded are truncated_probabilities and generate; everything else may be changed, renamed or removed.
Letters in comments: B sequences, T positions, V symbols.
"""

import torch


def truncated_probabilities(logits, *, temperature, top_k=None, top_p=None):
    """logits: (B, V) -> (B, V), the probabilities that the next token is drawn from; rows sum to 1.

    1. temperature: p = softmax(logits / temperature); temperature = 0 gives all to the largest logit.
    2. top_k (None: all): only the k most likely keep their probability; renormalise.
    3. top_p (None: all): of these, only the smallest set of most likely ones whose sum is at least top_p;
       renormalise.
    """
    raise NotImplementedError("truncated_probabilities")


def generate(
    model, prompt, max_new_tokens, *, context, temperature=1.0, top_k=None, top_p=None, generator=None
):
    """prompt: (B, T) int64 -> (B, T + max_new_tokens) int64, beginning with the prompt.

    model(tokens) takes (B, t) int64 with t <= context and returns logits (B, t, V). Give it the last
    `context` tokens, draw the next one for each sequence by itself, append, repeat. All randomness comes
    from `generator`.
    """
    raise NotImplementedError("generate")


if __name__ == "__main__":
    # A short look at your own code: python sampling.py
    logits = torch.tensor([[0.5, 0.25, 0.15, 0.06, 0.04]]).log()
    print(truncated_probabilities(logits, temperature=1.0, top_k=4, top_p=0.8))
    print("should be 0.5556 0.2778 0.1667 0 0")
