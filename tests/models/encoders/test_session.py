"""What ONNX Runtime describes is what the module describes."""

import numpy as np

from models.encoders.frozen import FrozenFeatures
from models.encoders.session import describe_by
from tests.models.encoders.fixtures import photograph, statistics


def test_description_is_that_of_the_module_used_last() -> None:
    first = FrozenFeatures(statistics(3), eight_bit=True, scale=2, band_statistics=True)
    second = FrozenFeatures(statistics(3), eight_bit=True, scale=1)
    image = photograph(2, 3, 64, 96)
    for network in (first, second, first):
        expected = network(image)["embedding"].numpy()
        np.testing.assert_allclose(describe_by(network)(image.numpy()), expected, atol=1e-4)
