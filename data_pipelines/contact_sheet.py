"""Renders training samples as a contact sheet with captions, for inspection before training."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_GAP = 8
_TEXT_WIDTH = 460
_MIN_TILE_SIDE = 160  # smaller crops are enlarged
_DIFFERENCE_GAIN = 8
# Colours of quality 1, 50 and 100: dark red, yellow, dark green.
_LABEL_COLORS = np.array([[140, 0, 20], [250, 220, 90], [0, 90, 50]], np.float64)
_HEADINGS = ("clean", "degraded", f"difference x {_DIFFERENCE_GAIN}", "quality label", "")


def draw(samples: Sequence[Mapping[str, Any]]) -> Image.Image:
    """Draws a sheet with one row for each sample, as described in `transforms`."""
    side = samples[0]["clean"].shape[0]
    zoom = -(-_MIN_TILE_SIDE // side)
    tile = side * zoom
    font = ImageFont.load_default(12)  # ten lines fit: four regions, encoded once more
    width = 4 * (tile + _GAP) + _TEXT_WIDTH
    sheet = Image.new("RGB", (width, 24 + len(samples) * (tile + _GAP)), "white")
    pen = ImageDraw.Draw(sheet)
    for column, heading in enumerate(_HEADINGS):
        pen.text((column * (tile + _GAP), 4), heading, "black", font)
    for row, sample in enumerate(samples):
        top = 24 + row * (tile + _GAP)
        for column, image in enumerate(_images(sample)):
            enlarged = image.resize((tile, tile), Image.Resampling.NEAREST)
            sheet.paste(enlarged, (column * (tile + _GAP), top))
        pen.text((4 * (tile + _GAP), top), _caption(summary(sample)), "black", font)
    return sheet


def summary(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a sample's metadata, the range of its label, and its PSNR in dB (None: lossless)."""
    error = np.mean((sample["clean"].astype(np.float64) - sample["degraded"]) ** 2)
    quality = sample["quality"]
    return json.loads(str(sample["metadata"])) | {
        "label": [float(quality.min()), float(quality.max())],
        "psnr": float(10 * np.log10(255**2 / error)) if error else None,
    }


def _images(sample: Mapping[str, Any]) -> list[Image.Image]:
    """Returns one image for each of the first four columns."""
    clean, degraded = sample["clean"][..., 0], sample["degraded"][..., 0]
    difference = 128 + _DIFFERENCE_GAIN * (degraded.astype(np.int32) - clean)
    quality = np.broadcast_to(sample["quality"][..., 0], clean.shape)
    label = [np.interp(quality, (1, 50, 100), channel) for channel in _LABEL_COLORS.T]
    arrays = (clean, degraded, np.clip(difference, 0, 255), np.stack(label, axis=-1))
    return [Image.fromarray(array.astype(np.uint8)) for array in arrays]


def _caption(summary: Mapping[str, Any]) -> str:
    """Describes a sample in a few lines: kind, label and PSNR first, then each processing step."""
    low, high = summary["label"]
    label = f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
    psnr = "lossless" if summary["psnr"] is None else f"{summary['psnr']:.2f} dB"
    title = f"{summary['degradation']} of {summary['plane']}, label {label}, {psnr}"
    in_title = ("degradation", "plane", "label", "psnr")
    return "\n".join([title, *_lines({k: v for k, v in summary.items() if k not in in_title})])


def _lines(fields: Mapping[str, Any]) -> list[str]:
    """Formats an encoding on one line; other records as scalar fields, then nested records."""
    fields = {name: value for name, value in fields.items() if value is not None}
    if "family" in fields:
        return [" ".join(["Q", *(str(value) for value in fields.values())])]
    scalars = [f"{name} {_format(value)}" for name, value in fields.items() if not _nested(value)]
    lines = [", ".join(scalars)] if scalars else []
    for name, value in fields.items():
        if isinstance(value, dict):
            lines += [f"{name}: {line}" for line in _lines(value)]
        elif _nested(value):
            lines += [line for record in value for line in _lines(record)]
    return lines


def _nested(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and isinstance(value[0], dict))


def _format(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
