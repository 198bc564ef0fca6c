"""A first layer for photographs is fitted to bands by what they are."""

import torch

from models.encoders.first_layer import adapt_first_layer

WEIGHT = torch.arange(2 * 3 * 2 * 2, dtype=torch.float32).view(2, 3, 2, 2)


def test_colours_keep_their_weights_in_any_order() -> None:
    adapted = adapt_first_layer(WEIGHT, ["blue", "green", "red"])
    torch.testing.assert_close(adapted, WEIGHT.flip(1))


def test_other_bands_start_at_the_mean_and_the_answer_stays_as_strong() -> None:
    adapted = adapt_first_layer(WEIGHT, ["vv", "red", "nir", "unknown"])
    torch.testing.assert_close(adapted[:, 0], WEIGHT.mean(dim=1) * 3 / 4)
    torch.testing.assert_close(adapted[:, 1], WEIGHT[:, 0] * 3 / 4)
    torch.testing.assert_close(adapted[:, 2], adapted[:, 3])
    grey = adapt_first_layer(WEIGHT, ["unknown"])
    torch.testing.assert_close(grey.sum(dim=1), WEIGHT.sum(dim=1))  # grey counts as a grey photograph
