"""A first layer for photographs is fitted to bands by what they are."""

import torch

from models.encoders.first_layer import adapt_first_layer

WEIGHT = torch.arange(2 * 3 * 2 * 2, dtype=torch.float32).view(2, 3, 2, 2)


def test_colours_keep_their_weights_in_any_order() -> None:
    torch.testing.assert_close(adapt_first_layer(WEIGHT, ["blue", "green", "red"]), WEIGHT.flip(1))


def test_images_with_near_infrared_are_read_as_colour_infrared() -> None:
    adapted = adapt_first_layer(WEIGHT, ["blue", "green", "red", "nir", "swir16"], others=0)
    torch.testing.assert_close(adapted[:, [3, 2, 1]], WEIGHT)
    assert not adapted[:, [0, 4]].any()


def test_other_bands_start_near_the_mean_where_the_layer_is_trained() -> None:
    adapted = adapt_first_layer(WEIGHT, ["red", "green", "blue", "unknown"])
    torch.testing.assert_close(adapted[:, :3], WEIGHT)
    torch.testing.assert_close(adapted[:, 3], WEIGHT.mean(dim=1) * 0.1)


def test_bands_without_colours_are_the_mean_and_the_answer_stays_as_strong() -> None:
    for bands in (["vv", "vh"], ["unknown"], ["red"], ["unknown"] * 7):
        adapted = adapt_first_layer(WEIGHT, bands)
        torch.testing.assert_close(adapted, WEIGHT.mean(dim=1, keepdim=True).expand_as(adapted) * 3 / len(bands))
        torch.testing.assert_close(adapted.sum(dim=1), WEIGHT.sum(dim=1))  # grey counts as a grey photograph


def test_the_first_of_two_equal_bands_counts() -> None:
    adapted = adapt_first_layer(WEIGHT, ["red", "red", "green", "blue"], others=0)
    torch.testing.assert_close(adapted[:, [0, 2, 3]], WEIGHT)
    assert not adapted[:, 1].any()
