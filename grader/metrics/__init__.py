"""Pure mathematics on tensors and arrays: distances, likelihoods, memorisation, intervals."""
