"""Evaluation suites: lists of cases, each a set of images with one degradation."""

import dataclasses
import enum
import functools
import pathlib
from collections.abc import Callable, Sequence

from agarnet_jax.color import LumaRange
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.mosaic import halves
from data_pipelines.degradations.recompression import double
from experiments.evaluating import published
from experiments.evaluating.inputs import (
    AnyDegradation,
    Clip,
    ImageSet,
    VideoCoding,
    open_still_images,
)
from experiments.evaluating.published import CLASSIC5, LIVE1, LIVE1_RGB


class Variant(enum.Enum):
    """Which quality the restorer is given; the values are the paper's suffixes of method names.

    TRUE: the true quality, or map of a mosaic (non-blind). IMAGE: one estimate per image (blind).
    MAP: a pixel-wise estimate (blind).
    """

    TRUE = ""
    IMAGE = "-EST"
    MAP = "-ESP"


@dataclasses.dataclass(frozen=True)
class Case:
    """Every `every`th image of a set with one degradation.

    column: the column in the suite's table.
    folder: the subfolder with a baseline's images.
    variants: empty to score only the input.
    x: the quality of a single JPEG, used as the x coordinate in plots.
    """

    suite: str
    images: str
    degradation: AnyDegradation
    column: str
    folder: str
    variants: tuple[Variant, ...]
    x: int | None = None
    every: int = 1


BLIND = (Variant.IMAGE,)
NON_BLIND_AND_BLIND = (Variant.TRUE, Variant.IMAGE)
BLIND_WITH_MAP = (Variant.IMAGE, Variant.MAP)
ALL_VARIANTS = tuple(Variant)

OWN = "own"  # the suite of --images
# Figure 4 at qualities that table 2 does not have, on every third image.
GAIN_QUALITIES = (1, 5, 15, 85, 90, 95, 97, 99, 100)
THIRD = 3
# Use every third image with --suite=all, which then takes some 20 minutes on two cores.
SUBSAMPLED_IN_ALL = ("double", "color")
# The paper does not publish the quality pairs of its groups; here is one unequal pair for each.
TABLE3_PAIRS = {
    ("low", "high"): (20, 60),
    ("low", "ultra"): (20, 80),
    ("mid", "high"): (40, 60),
    ("mid", "ultra"): (40, 80),
    ("high", "mid"): (60, 40),
    ("high", "high"): (55, 65),
    ("high", "ultra"): (60, 80),
    ("ultra", "mid"): (80, 40),
    ("ultra", "high"): (80, 60),
    ("ultra", "ultra"): (75, 85),
}
COLOR_QUALITIES = (10, 20, 40)
MOSAICS = ((10, 50), (20, 80), (60, 30))
BIT_RATES = (0.25, 1, 4)  # Mbit/s
VIDEO_QUALITIES = (60, 80)
FRAMES, LONGEST_SIDE = 30, 320


def jpeg_cases(
    suite: str, images: str, qualities: Sequence[int], variants: tuple[Variant, ...], every: int = 1
) -> list[Case]:
    """Returns a case of single JPEGs for each quality."""
    return [
        Case(suite, images, Jpeg(q), f"Q{q}", f"q{q}", variants, x=q, every=every)
        for q in qualities
    ]


def table2() -> list[Case]:
    return [
        case
        for images in (LIVE1, CLASSIC5)
        for case in jpeg_cases("table2", images, published.QUALITIES, NON_BLIND_AND_BLIND)
    ]


def gain() -> list[Case]:
    return [
        *jpeg_cases("gain", LIVE1, published.QUALITIES, NON_BLIND_AND_BLIND),
        *jpeg_cases("gain", LIVE1, GAIN_QUALITIES, BLIND, every=THIRD),
    ]


def double_jpeg() -> list[Case]:
    return [
        Case(
            "double",
            LIVE1,
            double(first, second, shift=(4, 4)),
            f"({first}, {second})",
            f"double_{first}_{second}",
            BLIND,
        )
        for first, second in published.DOUBLE_JPEG
    ]


def table3() -> list[Case]:
    return [
        Case(
            "table3",
            LIVE1,
            double(first, second),
            f"{groups[0]}-{groups[1]}",
            f"aligned_{first}_{second}",
            BLIND,
            every=THIRD,
        )
        for groups, (first, second) in TABLE3_PAIRS.items()
    ]


def color() -> list[Case]:
    return jpeg_cases("color", LIVE1_RGB, COLOR_QUALITIES, BLIND)


def mosaic() -> list[Case]:
    return [
        Case(
            "mosaic",
            LIVE1,
            halves(left, right),
            f"{left} / {right}",
            f"mosaic_{left}_{right}",
            ALL_VARIANTS,
            every=THIRD,
        )
        for left, right in MOSAICS
    ]


def video(clips: Sequence[str]) -> list[Case]:
    cases = []
    for clip in clips:
        for rate in BIT_RATES:
            coding = VideoCoding(rate * 1e6)
            cases.append(Case("video", clip, coding, f"{rate:g}M", f"{rate:g}M", ()))
            for quality in VIDEO_QUALITIES:
                name = f"{rate:g}M-{quality}"
                with_jpeg = dataclasses.replace(coding, jpeg=Jpeg(quality))
                cases.append(Case("video", clip, with_jpeg, name, name, BLIND_WITH_MAP))
    return cases


_CASES: dict[str, Callable[..., list[Case]]] = {  # only "video" takes clip names
    "table2": table2,
    "gain": gain,
    "double": double_jpeg,
    "table3": table3,
    "video": video,
    "color": color,
    "mosaic": mosaic,
}
SUITES = tuple(_CASES)


def cases_of(suite: str, clips: Sequence[str] = (), *, in_all: bool = False) -> list[Case]:
    """Lists the cases of one of `SUITES`; `clips` are the names of the clips for "video".

    `in_all`: whether the suite is part of "all", for which some suites use fewer images.
    """
    list_cases = _CASES[suite]
    cases = list_cases(clips) if suite == "video" else list_cases()
    if in_all and suite in SUBSAMPLED_IN_ALL:
        return [dataclasses.replace(case, every=THIRD) for case in cases]
    return cases


def open_sets(
    suites: Sequence[str], data: pathlib.Path, *, luma_range: LumaRange
) -> tuple[dict[str, ImageSet], list[str]]:
    """Opens the sets and clips that suites need, by name; also returns a line per skipped one.

    `data` has `test/LIVE1_gray`, `test/LIVE1_color`, `test/Classic5` and `video/`. Full-range luma
    is computed from the colour images, since the gray ones hold studio-range luma.
    """
    opened: dict[str, ImageSet] = {}
    problems = []
    names = {case.images for suite in suites if suite != "video" for case in cases_of(suite)}
    openers: dict[str, Callable[[], ImageSet]] = {}
    for name in sorted(names):
        if name == CLASSIC5 and luma_range is LumaRange.FULL:
            problems.append("Classic5: skipped: it holds studio-range luma, not full-range.")
            continue
        from_color = name == LIVE1_RGB or luma_range is LumaRange.FULL
        folder = "LIVE1_color" if from_color else {LIVE1: "LIVE1_gray", CLASSIC5: "Classic5"}[name]
        openers[name] = functools.partial(
            open_still_images,
            name,
            data / "test" / folder,
            luma_range=None if name == LIVE1_RGB else luma_range,
        )
    if "video" in suites:
        paths = sorted(path for path in (data / "video").glob("*") if path.is_file())
        if not paths:
            problems.append(f"video: skipped: no clip in {data / 'video'}.")
        openers |= {
            path.stem: functools.partial(Clip, path, frames=FRAMES, longest_side=LONGEST_SIDE)
            for path in paths
        }
    for name, opener in openers.items():
        try:
            opened[name] = opener()
        except (ValueError, OSError, ImportError) as error:
            problems.append(f"{name}: skipped: {error}")
            continue
        problems += opened[name].problems
    return opened, problems
