"""Asking a language model: scores of choices, of whole targets, and a prompt with examples. Fill in the holes.

`model(tokens)` takes (B, T) int64 and gives logits (B, T, V): those at place t are for the symbol after t. It is
any language model; do not change it. Letters in comments: B sequences, S source, T target, V symbols, n choices.
"""


def conditional_log_prob(model, source, target, lengths):
    """log p(target | source), in nats.

    source: (B, S) int64, S >= 1. target: (B, T) int64. lengths: (B,) int64; of the target in row b the first
    lengths[b] symbols count, and the rest is padding: any symbols, which change nothing.

    Returns (B,).
    """
    raise NotImplementedError("conditional_log_prob")


def sequence_loss(model, source, target, lengths):
    """The loss that a sequence-to-sequence model is trained with: nats per symbol of the targets.

    Arguments as above. Every symbol of a target that is no padding has the same weight, whatever the length
    of its target; symbols of the source have none. Returns one number that can be differentiated.
    """
    raise NotImplementedError("sequence_loss")


def score_choices(model, prompt, choices, *, length_normalised=False):
    """log p(choice | prompt) for each choice; divided by the choice's length if `length_normalised`.

    prompt: (T,) int64, T >= 1. choices: a list of n tensors (n_i,) int64, of any lengths from 1 on.

    Returns (n,).
    """
    raise NotImplementedError("score_choices")


def few_shot_prompt(examples, question, *, separator):
    """A prompt: question, separator, answer, separator for each example; then the question and a separator.

    examples: a list of pairs (question, answer) of tensors (q_i,), (a_i,) int64; it may be empty.
    question: (q,) int64. separator: one symbol, an int.

    Returns one tensor, (length,) int64.
    """
    raise NotImplementedError("few_shot_prompt")


if __name__ == "__main__":
    # A short look at your own scores: python prompting.py
    import torch

    def uniform(tokens):
        return torch.zeros(*tokens.shape, 4)

    choices = [torch.tensor([1, 2]), torch.tensor([3])]
    print(score_choices(uniform, torch.tensor([0, 1, 2]), choices), "should be -2 log 4 and -log 4")
