"""Detects the 8×8 blocking grid of a JPEG from decoded pixels alone (NumPy only).

Quantization makes most high-frequency coefficients of a block exactly zero, and rounding the
decoded pixels moves them by less than half a level; blocks at any other phase have fewer zeros. The
phase with the most zeros is therefore that of the grid (Nikoukhah et al., "JPEG Grid Detection
based on the Number of DCT Zeros", CVPRW 2019; "ZERO", IPOL 2021). Those papers let pixels vote and
count the votes; comparing the sums of zeros over the 64 phases finds grids in smaller images. At
low quality, nearly all coefficients are zero at every phase. Discontinuities across block
boundaries are informative there (Fan & de Queiroz, IEEE TIP 2003; Chen & Hsu, ICIP 2008, for
comparing them with neighbouring differences); they only serve as supporting evidence. If neither is
conclusive, as in a page of text with a photograph, a phase at which blocks agree with a
quantization table (`requantization`) is that of the grid.
"""

import dataclasses

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.restoration.pixels import PlaneReader
from agarnet_jax.restoration.traces import grid_traces, requantization
from agarnet_jax.restoration.traces.grid_traces import PHASES

# Chosen on training and validation images; `python -m benchmarks.grid` measures the result.
_MIN_CONFIDENCE = 4.5  # from zeros alone
# Lead over every phase that is not adjacent. Enlarged pixels have several equally good phases.
_MIN_LEAD = 0.5
_MIN_SUPPORTED_CONFIDENCE = 2.5  # where discontinuities find the same phase
_MIN_DISCONTINUITY_LEAD = 1.0  # standard errors
_MIN_CELLS = 12
_CANDIDATES = 4  # phases that are tried if zeros and discontinuities are inconclusive


@dataclasses.dataclass(frozen=True)
class Grid:
    """The phase of the 8×8 grid.

    row, column: 0–7, the first row and column of pixels that begin a block. The rows before `row`
      are the end of partial blocks, of which −row mod 8 rows are missing.
    confidence: how far this phase's zeros exceed the median of all 64 phases, in robust standard
      deviations; images without a grid reach 4. It may be lower if a table confirms the phase.
    """

    row: int
    column: int
    confidence: float


def find_grid(luma: PlaneReader) -> Grid | None:
    """Returns the grid of the last JPEG compression, or None if none is detected.

    None is expected for images that were never compressed, were rescaled or blurred afterwards, are
    flat, or have sides below about 40 pixels. Of large images, only bands spread over the image are
    read.

    Args:
      luma: (H, W), uint8, or floating point in [0, 1] from pixels of 8 bits or more.

    Raises:
      ValueError: wrong shape or dtype.
    """
    parts = list(grid_traces.bands(luma))
    cells = np.concatenate(
        [np.empty((0, PHASES), np.float32), *(grid_traces.zero_counts(band) for band in parts)]
    )
    spread = cells.std(axis=1, keepdims=True)
    informative = spread[:, 0] > 0
    if informative.sum() < _MIN_CELLS:
        return None
    cells, spread = cells[informative], spread[informative]
    relative = (cells - cells.mean(axis=1, keepdims=True)) / spread
    # Weighting all zeros equally (which favours detailed cells) and all cells equally must agree.
    scores = [_robust_z_scores(counts.sum(axis=0)) for counts in (cells, relative)]
    confidences = np.minimum(*scores)
    best, best_relative = (int(score.argmax()) for score in scores)
    if best == best_relative:
        confidence = float(confidences[best])
        lead = min(_lead(score, best) for score in scores)
        sufficient = confidence >= _MIN_CONFIDENCE and lead >= _MIN_LEAD
        if sufficient or (
            confidence >= _MIN_SUPPORTED_CONFIDENCE and _phase_by_discontinuities(parts) == best
        ):
            return Grid(*divmod(best, BLOCK), confidence)
    for phase in np.argsort(-confidences)[:_CANDIDATES]:
        row, column = divmod(int(phase), BLOCK)
        if requantization.find_table(_Shifted(luma, row, column)) is not None:
            return Grid(row, column, float(confidences[phase]))
    return None


@dataclasses.dataclass(frozen=True, eq=False)
class _Shifted:
    """A plane without its first rows and columns, read in parts."""

    plane: PlaneReader
    row: int
    column: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.plane.shape[0] - self.row, self.plane.shape[1] - self.column

    def __getitem__(self, index: tuple[slice, slice]) -> np.ndarray:
        rows, columns = index
        return self.plane[
            self.row + rows.start : self.row + rows.stop,
            self.column + columns.start : self.column + columns.stop,
        ]


def _phase_by_discontinuities(parts: list[np.ndarray]) -> int | None:
    """Returns 8·row + column of the phase with the largest discontinuities; None if ambiguous."""
    phase = []
    for oriented in ([band.T for band in parts], parts):
        cells = np.concatenate([grid_traces.column_discontinuities(band) for band in oriented])
        mean, error = cells.mean(axis=0), cells.std(axis=0) / np.sqrt(len(cells))
        second, first = np.sort(mean)[-2:]
        if first - second < _MIN_DISCONTINUITY_LEAD * np.median(error):
            return None
        phase.append(int(mean.argmax()))
    return BLOCK * phase[0] + phase[1]


def _robust_z_scores(values: np.ndarray) -> np.ndarray:
    """Returns deviations from the median, divided by the scaled median absolute deviation."""
    centred = values - np.median(values)
    spread = 1.4826 * np.median(np.abs(centred))
    return centred / max(spread, 1e-6 * np.abs(values).max())


def _lead(scores: np.ndarray, best: int) -> float:
    """Returns a phase's lead over all but adjacent phases, which smooth blocks make similar."""
    row, column = divmod(best, BLOCK)
    rows, columns = np.divmod(np.arange(PHASES), BLOCK)
    distance = np.maximum(_cyclic_distance(rows - row), _cyclic_distance(columns - column))
    return float(scores[best] - scores[distance > 1].max())


def _cyclic_distance(difference: np.ndarray) -> np.ndarray:
    return np.minimum(difference % BLOCK, -difference % BLOCK)
