"""What is evaluated: each suite as a list of cases, a set of images on one course of events."""

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
from experiments.evaluating.inputs import Clip, Course, ImageSet, VideoCoding, open_pictures
from experiments.evaluating.published import CLASSIC5, LIVE1, LIVE1_RGB


class Variant(enum.Enum):
    """What the network is told of quality; the values are the paper's names.

    TRUE: the quality, for mosaics its map. IMAGE: one estimate. MAP: a pixel-wise estimate.
    """

    TRUE = ""
    IMAGE = "-EST"
    MAP = "-ESP"


@dataclasses.dataclass(frozen=True)
class Case:
    """Every `every`th image of a set, after one course of events.

    column: its place in the suite's table. folder: where baselines keep its images. x: its place
    on a plot's axis, the quality of a single JPEG. variants: empty to score only the input.
    """

    suite: str
    images: str
    course: Course
    column: str
    folder: str
    variants: tuple[Variant, ...]
    x: int | None = None
    every: int = 1


BLIND = (Variant.IMAGE,)
TOLD_AND_BLIND = (Variant.TRUE, Variant.IMAGE)
ESTIMATED = (Variant.IMAGE, Variant.MAP)
ALL = tuple(Variant)

OWN = "own"
# Figure 4 between the paper's qualities, from every third image; at those, it has table 2's.
GAIN_QUALITIES = (1, 5, 15, 85, 90, 95, 97, 99, 100)
THIRD = 3
# Among all suites these take every third image, so that all take some 20 minutes on two cores.
BRIEF_AMONG_ALL = ("double", "color")
# The paper does not publish the pairs of its groups: here is one for each, of unequal qualities.
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
    """Makes a case of a single JPEG at each quality."""
    return [
        Case(suite, images, Jpeg(q), f"Q{q}", f"q{q}", variants, x=q, every=every)
        for q in qualities
    ]


def table2() -> list[Case]:
    return [
        case
        for images in (LIVE1, CLASSIC5)
        for case in jpeg_cases("table2", images, published.QUALITIES, TOLD_AND_BLIND)
    ]


def gain() -> list[Case]:
    return [
        *jpeg_cases("gain", LIVE1, published.QUALITIES, TOLD_AND_BLIND),
        *jpeg_cases("gain", LIVE1, GAIN_QUALITIES, BLIND, every=THIRD),
    ]


def doubles() -> list[Case]:
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
            ALL,
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
                saved = dataclasses.replace(coding, jpeg=Jpeg(quality))
                cases.append(Case("video", clip, saved, name, name, ESTIMATED))
    return cases


_CASES: dict[str, Callable[..., list[Case]]] = {  # "video" takes its clips
    "table2": table2,
    "gain": gain,
    "double": doubles,
    "table3": table3,
    "video": video,
    "color": color,
    "mosaic": mosaic,
}
SUITES = tuple(_CASES)


def cases_of(suite: str, clips: Sequence[str] = (), *, among_all: bool = False) -> list[Case]:
    """Lists the cases of one of `SUITES`; `clips` names those that "video" has.

    `among_all`: whether it was asked for by "all", which takes fewer images of some suites.
    """
    list_cases = _CASES[suite]
    cases = list_cases(clips) if suite == "video" else list_cases()
    if among_all and suite in BRIEF_AMONG_ALL:
        return [dataclasses.replace(case, every=THIRD) for case in cases]
    return cases


def open_sets(
    suites: Sequence[str], data: pathlib.Path, *, luma_range: LumaRange
) -> tuple[dict[str, ImageSet], list[str]]:
    """Opens the sets and clips that suites need, by name; returns a line for each left out.

    `data` has `test/LIVE1_gray`, `test/LIVE1_color`, `test/Classic5` and `video/`. Full-range luma
    is taken of the colour pictures, since the gray ones hold luma in studio range.
    """
    opened: dict[str, ImageSet] = {}
    problems = []
    names = {case.images for suite in suites if suite != "video" for case in cases_of(suite)}
    openers: dict[str, Callable[[], ImageSet]] = {}
    for name in sorted(names):
        if name == CLASSIC5 and luma_range is LumaRange.FULL:
            problems.append("Classic5: left out: it holds luma in studio range, not in full range.")
            continue
        folder = "LIVE1_color" if name == LIVE1_RGB or luma_range is LumaRange.FULL else None
        folder = folder or {LIVE1: "LIVE1_gray", CLASSIC5: "Classic5"}[name]
        kept = None if name == LIVE1_RGB else luma_range
        openers[name] = functools.partial(
            open_pictures, name, data / "test" / folder, luma_range=kept
        )
    if "video" in suites:
        paths = sorted(path for path in (data / "video").glob("*") if path.is_file())
        if not paths:
            problems.append(f"video: left out: there is no clip in {data / 'video'}.")
        openers |= {
            path.stem: functools.partial(Clip, path, frames=FRAMES, longest_side=LONGEST_SIDE)
            for path in paths
        }
    for name, opener in openers.items():
        try:
            opened[name] = opener()
        except (ValueError, OSError, ImportError) as error:
            problems.append(f"{name}: left out: {error}")
            continue
        problems += opened[name].problems
    return opened, problems
