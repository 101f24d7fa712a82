"""Every benchmark runs on small inputs and prints its table. No timing is asserted."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks.timing import compare, spread
from data_pipelines.degradations.jpeg import Jpeg

COMMANDS = {
    "network": (
        "--config=experiments/configs/smoke.py",
        "--forward=1x32",
        "--train=2x32",
        "--rounds=1",
    ),
    "conv3d": ("--shape=1,8,2,2", "--features=4", "--rounds=1"),
    "dct": ("--sides=16", "--rounds=1"),
    "pipeline": (
        "--images={folder}",
        "--kinds=jpeg,recompression,mosaic,video",
        "--count=64",
        "--rounds=1",
        "--workers=0,1",
    ),
    "loop": ("--configs=smoke", "--steps=10", "--rounds=1"),
    "devices": ("--devices=2", "--batch_size=4", "--rounds=1"),
    "table_quality": ("--images={folder}",),
    "quality_label": ("--images={small}",),
    "grid": ("--images={folder}",),
    "detected_quality": ("--images={small}", "--restored=1"),
    "screenshots": ("--images={folder}", "--count=1", "--qualities=75"),
    "recompression": ("--images={small}", "--restored=1"),
    "history": ("--images={small}", "--restored=1"),
    "consistency": ("--images={folder}", "--count=1"),
    "color": ("--data_dir={folder}", "--set=.", "--qualities=20"),
    "files": ("--images={folder}", "--sides=32,40,48", "--count=2", "--jobs=1,2"),
    "restoration": ("--megapixels=0.02", "--tile=128"),
    "small_images": ("--sides=32", "--count=4", "--rounds=1"),
    "export": ("--sizes=64x64", "--rounds=1"),
    "precision": ("--images={folder}", "--qualities=20"),
    "stopping": ("--images={folder}", "--config_file=experiments/configs/smoke.py", "--rounds=1"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_benchmark_prints_its_table(name, repository, picture_folders, tmp_path):
    folder, small = picture_folders / "valid", tmp_path
    Image.open(folder / "astronaut.png").crop((16, 16, 80, 80)).save(small / "detail.png")
    options = [option.format(folder=folder, small=small) for option in COMMANDS[name]]
    result = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *options],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    _, *tables = result.stdout.split("\n**")
    assert tables
    for table in tables:
        rows = [line for line in table.splitlines() if line.startswith("|")]
        assert len(rows) >= 3
        assert len({row.count("|") for row in rows}) == 1


@pytest.mark.slow
def test_jpeg_rows_fails_on_images_other_than_the_papers(repository, tmp_path, astronaut):
    """With other images, every row differs from the published one and is reported."""
    gray = np.asarray(Image.fromarray(astronaut[:128, 120:280]).convert("L"))
    images = {"LIVE1_gray": gray, "LIVE1_color": astronaut[:64, :64], "Classic5": gray}
    authors = {"AGARNet_jpeg10_LIVE1": Jpeg(10), "AGARNet_jpeg10_classic5": Jpeg(11)}
    images |= {name: jpeg.compress(gray) for name, jpeg in authors.items()}
    for name, image in images.items():
        (tmp_path / "test" / name).mkdir(parents=True)
        Image.fromarray(image).save(tmp_path / "test" / name / "one.png")
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.jpeg_rows", f"--data_dir={tmp_path}"],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    *_, differing, off = result.stdout.splitlines()
    assert "classic5" in differing
    assert "LIVE1" not in differing
    for row in ("LIVE1 Q10 psnr", "Q80 ssim_uniform", "psnr_b", "RGB 4:2:0 Q40", "(30, 50) shift"):
        assert row in off


def test_cases_are_timed_in_turn():
    calls = []
    timings = compare({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert calls == [*"ab", *"ab", *"ababab"]
    assert len(timings["a"].wall) == len(timings["a"].ratio(timings["b"])) == 3


def test_spread_formats_median_and_range():
    assert spread([3.0, 1.0, 2.0]) == "2.00 (1.00–3.00)"


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_the_pytorch_network_reproduces_the_golden_outputs(golden, golden_params):
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
