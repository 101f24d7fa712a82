"""Every benchmark runs and prints its table, on sizes that take seconds. No time is asserted."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.timing import compare, spread

COMMANDS = {
    "network": (
        "--config=experiments/configs/smoke.py",
        "--forward=1x32,2x32",
        "--train=2x32",
        "--rounds=1",
    ),
    "conv3d": ("--shape=1,8,2,2", "--features=4", "--rounds=1"),
    "dct": ("--sides=16", "--rounds=1"),
    "pipeline": ("--images={folder}", "--count=64", "--rounds=1", "--workers=0,1"),
    "restoration": ("--megapixels=0.02", "--tile=128"),
    "precision": ("--images={folder}", "--qualities=20"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_prints_its_table(name, repository, picture_folders):
    options = [option.format(folder=picture_folders / "valid") for option in COMMANDS[name]]
    result = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *options],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [line for line in result.stdout.splitlines() if line.startswith("|")]
    assert len(rows) >= 3
    assert len({row.count("|") for row in rows}) == 1


def test_cases_are_timed_in_turn():
    calls = []
    timings = compare({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert calls == [*"ab", *"ab", *"ababab"]
    assert len(timings["a"].wall) == len(timings["a"].ratio(timings["b"])) == 3


def test_spread_is_median_and_range():
    assert spread([3.0, 1.0, 2.0]) == "2.00 (1.00–3.00)"


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_the_pytorch_yardstick_is_the_same_network(golden, golden_params):
    import torch

    from agarnet_jax.models import AGARNetConfig
    from benchmarks.torch_agarnet import TorchAGARNet

    case = golden("restore_scalar_q10_astronaut96x128")
    network = TorchAGARNet(AGARNetConfig(pixel_features=8), golden_params)
    image = torch.from_numpy(case["image"].transpose(0, 3, 1, 2).copy())
    quality = torch.from_numpy(100 * case["quality"].reshape(-1, 1))
    tables = torch.from_numpy(case["table"].reshape(-1, 64))
    with torch.inference_mode():
        restored, dct_restored = network(image, quality, tables)
    for actual, expected in ((restored, case["restored"]), (dct_restored, case["idct"])):
        np.testing.assert_allclose(actual.numpy()[:, 0], expected[..., 0], atol=5e-5)
