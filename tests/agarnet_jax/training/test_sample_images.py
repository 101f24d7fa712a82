import numpy as np

from agarnet_jax.training.sample_images import sheet


def test_samples_are_rows_and_maps_are_enlarged_to_the_size_of_images():
    images = np.arange(3 * 4 * 6).reshape(3, 4, 6, 1) / 100
    cells = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]).reshape(3, 1, 2, 1)
    shown = sheet({"image": images, "cells": cells}, 2)
    assert shown.shape == (2 * 4, 2 * 6)
    np.testing.assert_array_equal(shown[4:, :6], images[1, :, :, 0])
    np.testing.assert_array_equal(shown[4:, 6:9], 0.3)
    np.testing.assert_array_equal(shown[4:, 9:], 0.4)
