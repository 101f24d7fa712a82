"""Where the 8×8 grid of a JPEG lies in a picture of it, from the pixels alone (NumPy only).

Quantization makes most high frequencies of a block exactly zero, and rounding the decoded pixels
moves them by less than half a level; blocks cut anywhere else have fewer zeros. So the phase with
most zeros is the grid's (Nikoukhah et al., "JPEG Grid Detection based on the Number of DCT Zeros",
CVPRW 2019; "ZERO", IPOL 2021). They let pixels vote and count the votes; we compare the sums of
zeros of the 64 phases, which finds grids in smaller pictures. At low quality nearly all of a block
is zero wherever it is cut; there steps across block boundaries tell (Fan & de Queiroz, IEEE TIP
2003; Chen & Hsu, ICIP 2008 for steps against the steps beside them), as a second witness only.
"""

import dataclasses
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from PIL import Image

from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.restoration.pixels import Picture
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.traces import grid_traces
from agarnet_jax.restoration.traces.grid_traces import PHASES

Either = TypeVar("Either", bound=Picture)

# Chosen on training and validation pictures; `python -m benchmarks.grid` measures the result.
_CONFIDENT = 4.5  # zeros alone
# How far above any phase but its neighbours. Enlarged pixels have several equally good phases.
_LEAST_LEAD = 0.5
_SUPPORTED = 2.5  # zeros, where steps find the same phase
_LEAST_STEP_LEAD = 1.0  # standard errors
_LEAST_CELLS = 12


@dataclasses.dataclass(frozen=True)
class Grid:
    """Where blocks begin.

    row, column: the first row and column of pixels that begin a block, 0–7. What lies before are
      the last `row` rows of blocks that the side cut: −row mod 8 of their rows are missing.
    confidence: how far the zeros of this phase stand out from those of all 64, in (robust) standard
      deviations; pictures without a grid reach 4.
    """

    row: int
    column: int
    confidence: float


@dataclasses.dataclass(frozen=True)
class Alignment:
    """Brings a picture's grid to the top left corner, and back; no pixel is lost.

    rows, columns: 0–7, how many the picture is continued by at the top and left (its outermost
      pixels repeated), so that blocks which these sides cut are whole.
    """

    rows: int
    columns: int

    @classmethod
    def of(cls, grid: Grid) -> "Alignment":
        return cls(-grid.row % BLOCK, -grid.column % BLOCK)

    def apply(self, image: Either) -> Either:
        """(H, W[, C]) to (rows + H, columns + W[, C]), of the same dtype, or mode of a picture."""

        def continued(image: np.ndarray) -> np.ndarray:
            before = [(self.rows, 0), (self.columns, 0), *[(0, 0)] * (image.ndim - 2)]
            return np.pad(image, before, mode="edge")

        return _changed(image, continued)

    def undo(self, image: Either) -> Either:
        """The part of (rows + H, columns + W[, C]) that the picture given to `apply` became."""
        return _changed(image, lambda image: image[self.rows :, self.columns :])


def _changed(image: Either, change: Callable[[np.ndarray], np.ndarray]) -> Either:
    """An array changed; a picture stays one of its mode."""
    changed = change(np.asarray(image))
    if isinstance(image, Image.Image):
        raw = np.ascontiguousarray(changed).tobytes()
        return cast(Either, Image.frombytes(image.mode, changed.shape[1::-1], raw))
    return cast(Either, changed)


def find_grid(luma: np.ndarray | Plane) -> Grid | None:
    """The grid of the last JPEG compression, or None where there is none to be seen.

    None for pictures that were never compressed, were rescaled or blurred afterwards, are flat, or
    have sides of less than 40 or so. Of large pictures, parts spread over them are looked at.

    Args:
      luma: (H, W), uint8, or floating point in [0, 1] from pixels of 8 bits or more; only what is
        looked at is read.

    Raises:
      ValueError: another shape or dtype.
    """
    parts = list(grid_traces.bands(luma))
    cells = np.concatenate(
        [np.empty((0, PHASES), np.float32), *(grid_traces.zero_counts(band) for band in parts)]
    )
    spread = cells.std(axis=1, keepdims=True)
    informative = spread[:, 0] > 0
    if informative.sum() < _LEAST_CELLS:
        return None
    cells, spread = cells[informative], spread[informative]
    relative = (cells - cells.mean(axis=1, keepdims=True)) / spread
    # All zeros alike, which rich cells dominate, and all cells alike must agree.
    scores = [_deviations(counts.sum(axis=0)) for counts in (cells, relative)]
    best, other = (int(score.argmax()) for score in scores)
    if best != other:
        return None
    confidence = min(float(score[best]) for score in scores)
    lead = min(_lead(score, best) for score in scores)
    by_zeros = confidence >= _CONFIDENT and lead >= _LEAST_LEAD
    if not by_zeros and (confidence < _SUPPORTED or _phase_by_steps(parts) != best):
        return None
    return Grid(*divmod(best, BLOCK), confidence)


def _phase_by_steps(parts: list[np.ndarray]) -> int | None:
    """8·row + column where blocks begin by steps across their boundaries."""
    found = []
    for turned in ([band.T for band in parts], parts):
        cells = np.concatenate([grid_traces.column_steps(band) for band in turned])
        mean, error = cells.mean(axis=0), cells.std(axis=0) / np.sqrt(len(cells))
        second, first = np.sort(mean)[-2:]
        if first - second < _LEAST_STEP_LEAD * np.median(error):
            return None
        found.append(int(mean.argmax()))
    return BLOCK * found[0] + found[1]


def _deviations(scores: np.ndarray) -> np.ndarray:
    """Returns distances from the median, in standard deviations of a normal distribution."""
    centred = scores - np.median(scores)
    spread = 1.4826 * np.median(np.abs(centred))
    return centred / max(spread, 1e-6 * np.abs(scores).max())


def _lead(deviations: np.ndarray, best: int) -> float:
    """Returns how far a phase leads all but its neighbours, which smooth blocks make alike."""
    row, column = divmod(best, BLOCK)
    rows, columns = np.divmod(np.arange(PHASES), BLOCK)
    apart = np.maximum(_cyclic(rows - row), _cyclic(columns - column))
    return float(deviations[best] - deviations[apart > 1].max())


def _cyclic(distance: np.ndarray) -> np.ndarray:
    return np.minimum(distance % BLOCK, -distance % BLOCK)
