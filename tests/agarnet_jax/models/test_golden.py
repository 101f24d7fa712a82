"""Compares with outputs of the released graph, within the tolerances of AGARNET.md §8."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax.dct import block_dct
from agarnet_jax.jpeg_tables import TableScaling, network_tables_by_quality
from agarnet_jax.models import (
    AGARNet,
    AGARNetConfig,
    CellPlacement,
    EstimatorConfig,
    QualityEstimator,
    quality_map,
)
from agarnet_jax.models.blocks import average_pool, upsample_2x
from agarnet_jax.models.conv3d import CONV3D

RESTORE_TOLERANCE = 5e-5
ESTIMATE_TOLERANCE = 5e-6
# Intermediate tensors reach 8.5, outputs stay below 4.
INTERMEDIATE_TOLERANCE = 1e-4

SCALAR_CASES = (
    "restore_scalar_q10_astronaut96x128",
    "restore_scalar_q60_astronaut96x128",
    "restore_scalar_q50_coffee32x40_intermediates",
)


def assert_restores(out, case):
    np.testing.assert_allclose(out.restored, case["restored"], atol=RESTORE_TOLERANCE, rtol=0)
    np.testing.assert_allclose(out.dct_restored, case["idct"], atol=RESTORE_TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", SCALAR_CASES)
def test_scalar_quality_with_derived_tables_matches(name, golden, golden_apply):
    case = golden(name)
    assert_restores(golden_apply(case["image"], 100 * case["quality"]), case)


def test_pixelwise_quality_with_recorded_tables_matches(golden, golden_apply):
    case = golden("restore_map_astronaut96x128")
    out = golden_apply(case["image"], 100 * case["quality"], case["table"])
    assert_restores(out, case)


def test_derived_tables_differ_from_recorded_ones_only_at_truncated_qualities(golden):
    """For 0.53 and 0.59 the release uses the table of the next lower quality (AGARNET.md §8)."""
    case = golden("restore_map_astronaut96x128")
    derived = network_tables_by_quality(TableScaling.FLOAT)[
        np.rint(100 * case["block_quality"][..., 0]).astype(int)
    ]
    differing = (derived != case["table"]).any(axis=-1)
    assert differing.sum() == 8
    assert set(np.rint(100 * case["block_quality"][..., 0][differing])) == {53, 59}


@pytest.mark.parametrize("formulation", CONV3D)
def test_every_formulation_of_the_3d_convolution_matches(formulation, golden, golden_params):
    case = golden("restore_scalar_q50_coffee32x40_intermediates")
    model = AGARNet(AGARNetConfig(pixel_features=8, conv3d=formulation, conv2d="native"))
    out = model.apply({"params": golden_params}, case["image"], quality=100 * case["quality"])
    assert_restores(out, case)


@pytest.fixture(scope="module")
def intermediates(golden, golden_params):
    """{tensor name in the graph: our tensor}, for the case with intermediates."""
    case = golden("restore_scalar_q50_coffee32x40_intermediates")
    model = AGARNet(AGARNetConfig(pixel_features=8))
    out, captured = model.apply(
        {"params": golden_params},
        case["image"],
        quality=100 * case["quality"],
        capture_intermediates=True,
    )

    def at(path):
        node = captured["intermediates"]
        for part in path.split("/"):
            node = node[part]
        return node["__call__"][0]

    dct, pix = "Reconstruction|DCT_Domain2", "Reconstruction|Pixel_Domain"
    skip1 = at("pixel_branch/encoder1_block4") + at("pixel_branch/encoder1_in")
    skip2 = at("pixel_branch/encoder2_block4") + at("pixel_branch/encoder2_in")
    bottom = nn.relu(at("pixel_branch/encoder4_out"))
    encoded = bottom + at("pixel_branch/encoder4_in")
    decoded2 = at("pixel_branch/decoder2_gated_block4")
    coefficients = at("dct_branch")
    return {
        "Generating_CNN|dense2|BiasAdd": at("pixel_gates/head4"),
        "Generating_CNN|dense3|BiasAdd": at("pixel_gates/head2"),
        "Generating_CNN|dense4|BiasAdd": at("pixel_gates/head1"),
        "Generating_DCT|dense6|BiasAdd": at("dct_quality_gate/head"),
        "Generating_DCT_QPT|dense2|BiasAdd": at("dct_table_gate/head"),
        f"{dct}|block1|conv1|BiasAdd": at("dct_branch/head"),
        f"{dct}|block2|conv1|BiasAdd": at("dct_branch/entry"),
        f"{dct}|block3|resblock3D_generating4|conv2|BiasAdd": at("dct_branch/block0/conv2"),
        f"{dct}|block3|resblock3D_generating4|Gating_Generating|overall_qp_conv1|BiasAdd": at(
            "dct_branch/block0/joint"
        ),
        f"{dct}|block3|add": at("dct_branch/block0"),
        f"{dct}|block10|add": at("dct_branch/block7"),
        f"{dct}|add": at("dct_branch/exit") + at("dct_branch/head"),
        f"{dct}|conv_dct_last|BiasAdd": coefficients,
        f"{pix}|Encoder_1x1|conv1|BiasAdd": at("pixel_branch/encoder1_in"),
        f"{pix}|Encoder_1x1|block0|add": at("pixel_branch/encoder1_block0"),
        f"{pix}|Encoder_1x1|add": skip1,
        f"{pix}|Encoder_1x1|pooling|AvgPool": average_pool(nn.relu(skip1), 2),
        f"{pix}|Encoder_2x2|add": skip2,
        f"{pix}|Encoder_2x2|pooling|AvgPool": average_pool(nn.relu(skip2), 2),
        f"{pix}|Encoder_4x4|conv1|BiasAdd": at("pixel_branch/encoder4_in"),
        f"{pix}|Encoder_4x4|block0|add": at("pixel_branch/encoder4_block0"),
        f"{pix}|Encoder_4x4|block19|add": at("pixel_branch/encoder4_block19"),
        f"{pix}|Encoder_4x4|Conv|Relu": bottom,
        f"{pix}|Encoder_4x4|add": encoded,
        f"{pix}|Decoder_2x2|upsampled": upsample_2x(encoded),
        f"{pix}|Decoder_2x2|concat": jnp.concatenate(
            [at("pixel_branch/decoder2_block4"), skip2], axis=-1
        ),
        f"{pix}|Decoder_2x2|block9|add": decoded2,
        f"{pix}|Decoder_1x1|upsampled": upsample_2x(decoded2),
        f"{pix}|Decoder_1x1|concat": jnp.concatenate(
            [at("pixel_branch/decoder1_block4"), skip1], axis=-1
        ),
        f"{pix}|Decoder_1x1|block9|add": at("pixel_branch/decoder1_gated_block4"),
        f"{pix}|Decoder_1x1|conv_last|BiasAdd": at("pixel_branch/out"),
        f"{pix}|concat_images|concat_image_weight|Conv2D": out.restored - at("pixel_branch/out"),
    }


def test_every_intermediate_tensor_matches(golden, intermediates):
    case = golden("restore_scalar_q50_coffee32x40_intermediates")
    recorded = {name: value for name, value in case.items() if "|" in name}
    # The graph has the frequencies of the block DCT on the last axis.
    actual = intermediates | {
        "dct_input|Conv2D": jnp.moveaxis(block_dct(case["image"])[..., 0], 1, -1),
    }
    assert recorded.keys() == actual.keys()
    for name, expected in recorded.items():
        ours = np.asarray(actual[name]).reshape(expected.shape)
        np.testing.assert_allclose(
            ours, expected, atol=INTERMEDIATE_TOLERANCE, rtol=0, err_msg=name
        )


@pytest.mark.parametrize("name", ["estimate_astronaut128x160", "estimate_coffee64x64"])
def test_estimator_with_released_placement_matches(name, golden, golden_estimator_params):
    case = golden(name)
    _, height, width, _ = case["image"].shape
    estimate = QualityEstimator(EstimatorConfig(cells="released")).apply(
        {"params": golden_estimator_params}, case["image"]
    )
    resized = quality_map(
        estimate.cells, height=height, width=width, placement=CellPlacement.RELEASED
    )
    tolerance = {"atol": 100 * ESTIMATE_TOLERANCE, "rtol": 0}
    np.testing.assert_allclose(estimate.cells, 100 * case["map"], **tolerance)
    np.testing.assert_allclose(estimate.quality, 100 * case["scalar"].ravel(), **tolerance)
    np.testing.assert_allclose(resized, 100 * case["resized"], **tolerance)
