"""Implicit sampling of a diffusion model in few steps. Fill in the place that raises NotImplementedError.

The name that is graded is ddim_sample; add as many helpers as you like. Letters in comments: B images of shape
(C, S, S), T steps of the schedule. Steps are counted from 0: alphas_bar[t] is what is left of the image's
variance after step t, t = T - 1 is the noisiest.
"""

import torch


def ddim_sample(model, x_T, alphas_bar, steps, eta, generator):
    """From noise to images, visiting only some of the T steps.

    model: has predict_noise(x_t, t) with t: (B,) integers. x_T: (B, C, S, S) standard normal.
    alphas_bar: (T,). steps: how often the model is asked, from 1 to T. eta: 0 for no new noise, 1 for as much
    as in ancestral sampling. generator: a torch.Generator to draw new noise with.

    Returns (B, C, S, S).
    """
    # 1. choose `steps` values of t, evenly spaced, the largest first
    # 2. at each: predict the noise, compute the image that it implies, and put both together again at the
    #    alpha_bar of the next t that you visit; after the last one that is 1
    raise NotImplementedError("ddim_sample")
