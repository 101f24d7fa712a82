"""Samples as a picture and in words, for people to look at before they train."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_GAP = 8
_TEXT_WIDTH = 460
_LEAST_SIDE = 160  # smaller crops are enlarged
_DIFFERENCE_GAIN = 8
# Colours of quality 1, 50 and 100: dark red, yellow, dark green.
_LABEL_COLORS = np.array([[140, 0, 20], [250, 220, 90], [0, 90, 50]], np.float64)
_HEADINGS = ("clean", "degraded", f"difference x {_DIFFERENCE_GAIN}", "quality label", "")


def draw(samples: Sequence[Mapping[str, Any]]) -> Image.Image:
    """Draws a sheet with one row for each sample of `transforms`."""
    side = samples[0]["clean"].shape[0]
    zoom = -(-_LEAST_SIDE // side)
    tile = side * zoom
    font = ImageFont.load_default(14)
    width = 4 * (tile + _GAP) + _TEXT_WIDTH
    sheet = Image.new("RGB", (width, 24 + len(samples) * (tile + _GAP)), "white")
    pen = ImageDraw.Draw(sheet)
    for column, heading in enumerate(_HEADINGS):
        pen.text((column * (tile + _GAP), 4), heading, "black", font)
    for row, sample in enumerate(samples):
        top = 24 + row * (tile + _GAP)
        for column, picture in enumerate(_pictures(sample)):
            enlarged = picture.resize((tile, tile), Image.Resampling.NEAREST)
            sheet.paste(enlarged, (column * (tile + _GAP), top))
        pen.text((4 * (tile + _GAP), top), _words(summary(sample)), "black", font)
    return sheet


def summary(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a sample's history, its label's range, and its PSNR in dB (None: no loss)."""
    error = np.mean((sample["clean"].astype(np.float64) - sample["degraded"]) ** 2)
    quality = sample["quality"]
    return json.loads(str(sample["metadata"])) | {
        "label": [float(quality.min()), float(quality.max())],
        "psnr": float(10 * np.log10(255**2 / error)) if error else None,
    }


def _pictures(sample: Mapping[str, Any]) -> list[Image.Image]:
    clean, degraded = sample["clean"][..., 0], sample["degraded"][..., 0]
    difference = 128 + _DIFFERENCE_GAIN * (degraded.astype(np.int32) - clean)
    quality = np.broadcast_to(sample["quality"][..., 0], clean.shape)
    label = [np.interp(quality, (1, 50, 100), channel) for channel in _LABEL_COLORS.T]
    arrays = (clean, degraded, np.clip(difference, 0, 255), np.stack(label, axis=-1))
    return [Image.fromarray(array.astype(np.uint8)) for array in arrays]


def _words(summary: Mapping[str, Any]) -> str:
    """Describes a sample in a few lines: kind, PSNR and label first, then each step it took."""
    low, high = summary["label"]
    label = f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
    psnr = "lossless" if summary["psnr"] is None else f"{summary['psnr']:.2f} dB"
    title = f"{summary['degradation']} of {summary['plane']}, label {label}, {psnr}"
    shown = ("degradation", "plane", "label", "psnr")
    return "\n".join([title, *_lines({k: v for k, v in summary.items() if k not in shown})])


def _lines(fields: Mapping[str, Any]) -> list[str]:
    """Puts an encoding on one line, any other record as its plain fields and then its parts."""
    if "family" in fields:
        return [" ".join(["Q", *(str(value) for value in fields.values())])]
    plain = [f"{name} {_short(value)}" for name, value in fields.items() if not _is_part(value)]
    lines = [", ".join(plain)] if plain else []
    for name, part in fields.items():
        if isinstance(part, dict):
            lines += [f"{name}: {line}" for line in _lines(part)]
        elif _is_part(part):
            lines += [line for inner in part for line in _lines(inner)]
    return lines


def _is_part(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and isinstance(value[0], dict))


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
