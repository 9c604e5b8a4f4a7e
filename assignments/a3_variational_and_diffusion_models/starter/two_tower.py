"""Two towers for images and captions, and a generator. Fill in every place that raises NotImplementedError.

The six names that are graded are ImageTower, TextTower, contrastive_loss, train_two_tower,
ConditionedGenerator and train_generator; anything else is yours. Letters in comments: B images of C x S x S
pixels in [0, 1], L words a caption, E dimensions of the shared space, d of the generator's own chance z.
"""

from torch import nn


class ImageTower(nn.Module):
    """Images to points on the unit sphere."""

    def __init__(self, config):
        """config has channels (C), side (S), embedding_dim (E), and width for your layers."""
        super().__init__()
        self.pixels = config.channels * config.side**2
        raise NotImplementedError("ImageTower.__init__")

    def forward(self, images):
        """images: (B, C, S, S) -> (B, E), every row of length 1."""
        raise NotImplementedError("ImageTower.forward")


class TextTower(nn.Module):
    """Captions to points on the same sphere."""

    def __init__(self, config):
        """config has vocabulary (how many words there are), words (L), embedding_dim (E), and width."""
        super().__init__()
        self.words = nn.Embedding(config.vocabulary, config.width)  # a vector for each word
        raise NotImplementedError("TextTower.__init__")

    def forward(self, captions):
        """captions: (B, L) words as int64 -> (B, E), every row of length 1."""
        raise NotImplementedError("TextTower.forward")


def contrastive_loss(image_embeddings, text_embeddings, temperature):
    """Image i belongs to caption i: cross-entropy over the captions and over the images, averaged.

    image_embeddings, text_embeddings: (B, E) of length 1, temperature: a float -> one number
    """
    # logits[i, j] = image_i . text_j / temperature; whose softmax is over j, and whose over i?
    raise NotImplementedError("contrastive_loss")


def train_two_tower(image_tower, text_tower, images, captions, *, budget, device, generator):
    """Train both towers in place.

    images: (N, C, S, S), captions: (N, L); row i of one belongs to row i of the other. budget.steps,
    budget.batch: how many steps, of how many pairs. budget.wall_s: when this many seconds have passed, the
    process is ended. device: "cpu" or "cuda". generator: a torch.Generator for all randomness.

    Returns the list of the losses, one float per step.
    """
    raise NotImplementedError("train_two_tower")


class ConditionedGenerator(nn.Module):
    """Images from the embedding of a caption and from chance."""

    def __init__(self, config):
        """config has channels (C), side (S), embedding_dim (E), latent_dim (d), and width for your layers."""
        super().__init__()
        self.shape = (config.channels, config.side, config.side)
        raise NotImplementedError("ConditionedGenerator.__init__")

    def generate(self, embeddings, z):
        """embeddings: (B, E), z: (B, d) from N(0, I) -> (B, C, S, S) in [0, 1]. All chance is in z."""
        raise NotImplementedError("ConditionedGenerator.generate")


def train_generator(model, images, embeddings, *, budget, device, generator):
    """Train the generator in place, in whatever way you like: a conditional VAE is one.

    images: (N, C, S, S), embeddings: (N, E), of the caption of each image. The rest is as in train_two_tower.

    Returns the list of the losses, one float per step.
    """
    raise NotImplementedError("train_generator")
