"""One component of an image, taken from its pixels piece by piece (NumPy)."""

import dataclasses
import functools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from agarnet_jax.jpeg_tables import ANNEX_K_CHROMINANCE, ANNEX_K_LUMINANCE, effective_quality
from agarnet_jax.restoration.pixels import INTEGER_PEAKS, Pixels, strips
from agarnet_jax.restoration.traces import quantization_steps
from agarnet_jax.restoration.traces.subsampling import saturated
from agarnet_jax.restoration.upsampling import Upsampling, block_means

_FLAT = 0.25 / 255  # floating point makes of gray that much color, and less


@dataclasses.dataclass(frozen=True, eq=False)
class Plane:
    """One component, read by pieces: `plane[rows, columns]` with slices inside of it is float32.

    Values are in [0, 1]: level / 255; whole levels of 8-bit images unless subsampling is undone.

    chroma: whether it is chroma; all else is treated as luma.
    upsampling: from it to the image.
    table: its quantization table (8, 8) in raster order where a header told it.
    weights, offset: it is offset + weights · channels of the image in [0, 1].
    """

    chroma: bool
    upsampling: Upsampling
    table: np.ndarray | None
    weights: np.ndarray
    offset: float
    pixels: Pixels

    @property
    def shape(self) -> tuple[int, int]:
        return self.upsampling.coded_size

    @property
    def annex_k(self) -> np.ndarray:
        """The table of ITU-T T.81 that encoders scale for such a component."""
        return ANNEX_K_CHROMINANCE if self.chroma else ANNEX_K_LUMINANCE

    @functools.cached_property
    def header_quality(self) -> float | None:
        """1–100, what its table amounts to; None without one."""
        if self.table is None:
            return None
        return float(effective_quality(self.table, base=self.annex_k))

    @functools.cached_property
    def detected_quality(self) -> float | None:
        """1–100, which its quantization steps show, if they do (`quantization_steps.quality`).

        That of its table where they do not, as in small images, or show a better one: nothing is
        better than its last compression, but pixels that clip hide steps.
        """
        shown, stated = quantization_steps.quality(self, table=self.table), self.header_quality
        return stated if shown is None else min(shown, stated or shown)

    def has_table_of(self, quality: float) -> bool:
        """Whether its own table amounts to a quality, and its steps do not show another."""
        return quality == self.header_quality == self.detected_quality

    def __getitem__(self, place: tuple[slice, slice]) -> np.ndarray:
        inside = (slice(*part.indices(side)[:2]) for part, side in zip(place, self.shape))
        return self.upsampling.coded(self._at_full_size, *inside)

    def subsampled(self, rows: slice) -> np.ndarray:
        """Rows of it as an encoder would make them of the image: means of pixels."""
        factor, (height, width) = self.upsampling.factors[0], self.upsampling.size
        pixels = slice(factor * rows.start, min(height, factor * rows.stop))
        return block_means(self._at_full_size(pixels, slice(0, width)), self.upsampling.factors)

    def lost(self, rows: slice) -> np.ndarray:
        """Where some rows cannot be told, as the plane is mixed of channels that were clipped.

        Where it was upsampled, so are the samples next to these: the way back spreads the error.

        Returns:
          (rows, w) boolean. False for a plane that is a channel of the image.
        """
        count, width = self.shape
        if np.count_nonzero(self.weights) == 1:
            return np.zeros((rows.stop - rows.start, width), bool)
        reach = int(self.upsampling.smooth)
        first, last = max(0, rows.start - reach), min(count, rows.stop + reach)
        factors, size = self.upsampling.factors, self.upsampling.size
        pixels = slice(factors[0] * first, min(size[0], factors[0] * last))
        share = block_means(self._clipped(pixels).astype(np.float32), factors)
        missing = first - (rows.start - reach), rows.stop + reach - last
        padded = np.pad(share > 0, (missing, (reach, reach)))
        return np.any(sliding_window_view(padded, (2 * reach + 1,) * 2), axis=(2, 3))

    def strays(self, rows: slice) -> np.ndarray:
        """By how much pixels differ from what upsampling makes of the plane's samples.

        Returns:
          (rows, width) of the image, in [0, 1]; 0 where channels that it is mixed of were clipped.
        """
        columns = slice(0, self.upsampling.size[1])
        upsampled = self.upsampling.rows(lambda first, last: self[first:last, :], rows)
        difference = np.abs(self._at_full_size(rows, columns) - upsampled)
        return np.where(self._clipped(rows), 0, difference)

    def _clipped(self, rows: slice) -> np.ndarray:
        """Where channels that the plane is mixed of are black or white, (rows, width) boolean."""
        pixels = self.pixels.read(rows, slice(0, self.upsampling.size[1]))
        return saturated(pixels[..., np.flatnonzero(self.weights)])

    def levels(self) -> np.ndarray:
        """Returns the whole plane in 8 bits, (H, W) uint8."""
        result = np.empty(self.shape, np.uint8)
        for rows in strips(self.shape):
            result[rows] = np.rint(255 * self[rows, :].clip(0, 1))
        return result

    def is_flat(self) -> bool:
        """Whether it has one value only, as chroma of gray images has."""
        low, high = np.inf, -np.inf
        for rows in strips(self.shape):
            values = self[rows, :]
            low, high = min(low, values.min()), max(high, values.max())
            if high - low > _FLAT:
                return False
        return True

    def _at_full_size(self, rows: slice, columns: slice) -> np.ndarray:
        pixels = self.pixels.read(rows, columns)
        used = np.flatnonzero(self.weights)
        if len(used) == 1:
            values = self.weights[used[0]] * pixels[..., used[0]].astype(np.float32)
        else:
            values = pixels[..., : len(self.weights)].astype(np.float32) @ self.weights
        values = values / np.float32(INTEGER_PEAKS.get(self.pixels.dtype, 1))
        values += np.float32(self.offset)
        if self.pixels.dtype == np.uint8:  # what the decoder had before it made RGB of it
            values = np.rint(255 * values) / 255
        return values
