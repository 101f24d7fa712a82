"""One component of an image, computed from its pixels in parts (NumPy)."""

import dataclasses
import functools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from agarnet_jax.jpeg_tables import ANNEX_K_CHROMINANCE, ANNEX_K_LUMINANCE, effective_quality
from agarnet_jax.restoration.pixels import INTEGER_PEAKS, Pixels, strips
from agarnet_jax.restoration.traces import last_compression, requantization, uncompressed_graphics
from agarnet_jax.restoration.traces.grid import Grid, find_grid
from agarnet_jax.restoration.traces.subsampling import saturated
from agarnet_jax.restoration.upsampling import Upsampling, block_means, read_padded

_FLAT = 0.25 / 255  # floating point gives gray images at most this much chroma


@dataclasses.dataclass(frozen=True, eq=False)
class Plane:
    """One component, read in parts: `plane[rows, columns]` with slices inside of it, float32.

    Values are levels / 255 in [0, 1]; levels of 8-bit images are whole unless subsampling is
    inverted.

    chroma: whether the component is chroma; all others are treated as luma.
    upsampling: from the component to the image.
    table: quantization table (8, 8) in raster order; None without a header.
    weights, offset: the component is offset + weights · channels of the image in [0, 1].
    pixels: the image.
    """

    chroma: bool
    upsampling: Upsampling
    table: np.ndarray | None
    weights: np.ndarray
    offset: float
    pixels: Pixels

    @property
    def shape(self) -> tuple[int, int]:
        return self.upsampling.component_size

    @property
    def annex_k(self) -> np.ndarray:
        """The table of ITU-T T.81 that encoders scale for this kind of component."""
        return ANNEX_K_CHROMINANCE if self.chroma else ANNEX_K_LUMINANCE

    @functools.cached_property
    def header_quality(self) -> float | None:
        """The quality 1–100 of the table; None without one."""
        if self.table is None:
            return None
        return float(effective_quality(self.table, base=self.annex_k))

    @functools.cached_property
    def detected_table(self) -> np.ndarray | None:
        """The table (8, 8) of the last compression, detected in the pixels; None: undetected."""
        return requantization.find_table(self, table=self.table)

    @property
    def last_table(self) -> np.ndarray | None:
        """The table (8, 8) of the last compression: the header's, or else the detected one."""
        return self.detected_table if self.table is None else self.table

    @functools.cached_property
    def detected_quality(self) -> float | None:
        """The quality 1–100 of the last compression, detected in the pixels.

        Falls back to the header's quality if none is detected, as in small images, or a higher one:
        an image is no better than its last compression.
        """
        detected = last_compression.detect_quality(self, table=self.detected_table)
        if detected is None:
            return self.header_quality
        return min(detected, self.header_quality or detected)

    @functools.cached_property
    def detected_grid(self) -> Grid | None:
        """The 8×8 grid that is detected in the pixels, which may not begin at the corner."""
        return find_grid(self)

    @functools.cached_property
    def uncompressed_blocks(self) -> np.ndarray | None:
        """Marks 8×8 blocks of graphics that were never compressed (`uncompressed_graphics.find`).

        None if there are none, as in JPEG files, or no table is detected.
        """
        if self.table is not None or self.detected_table is None:
            return None
        found = uncompressed_graphics.find(self, table=self.detected_table)
        return found if found.any() else None

    def has_table_of(self, quality: float) -> bool:
        """Whether the table has this quality and no other is detected in the pixels."""
        return quality == self.header_quality == self.detected_quality

    def __getitem__(self, index: tuple[slice, slice]) -> np.ndarray:
        rows, columns = (slice(*part.indices(side)[:2]) for part, side in zip(index, self.shape))
        return self.upsampling.invert(self._at_full_size, rows, columns)

    def subsampled(self, rows: slice) -> np.ndarray:
        """Subsamples rows of the component from the image as an encoder does: means of pixels."""
        factor, (height, width) = self.upsampling.factors[0], self.upsampling.size
        pixels = slice(factor * rows.start, min(height, factor * rows.stop))
        return block_means(self._at_full_size(pixels, slice(0, width)), self.upsampling.factors)

    def unreliable_samples(self, rows: slice) -> np.ndarray:
        """Marks samples whose value is unknown because channels they are computed from are clipped.

        Where the component was upsampled, neighbours of such samples are marked, too: inverting
        the upsampling spreads the error.

        Returns:
          (rows, w) boolean; all False for a component that is a channel of the image.
        """
        count, width = self.shape
        if np.count_nonzero(self.weights) == 1:
            return np.zeros((rows.stop - rows.start, width), bool)
        reach = int(self.upsampling.smooth)
        factors, size = self.upsampling.factors, self.upsampling.size

        def is_clipped(first: int, last: int) -> np.ndarray:
            pixels = slice(factors[0] * first, min(size[0], factors[0] * last))
            return block_means(self._is_clipped(pixels).astype(np.float32), factors) > 0

        padded = read_padded(is_clipped, rows, count=count, margin=reach, mode="constant")
        return np.any(sliding_window_view(padded, (2 * reach + 1,) * 2), axis=(2, 3))

    def upsampling_residual(self, rows: slice) -> np.ndarray:
        """Returns how far pixels deviate from the component's upsampled samples.

        Returns:
          (rows, width) of the image, in [0, 1]; 0 where a channel is clipped.
        """
        columns = slice(0, self.upsampling.size[1])
        upsampled = self.upsampling.apply(lambda first, last: self[first:last, :], rows)
        residual = np.abs(self._at_full_size(rows, columns) - upsampled)
        return np.where(self._is_clipped(rows), 0, residual)

    def _is_clipped(self, rows: slice) -> np.ndarray:
        """Marks pixels with a channel of the component at an end of its range, (rows, width)."""
        pixels = self.pixels.read(rows, slice(0, self.upsampling.size[1]))
        return saturated(pixels[..., np.flatnonzero(self.weights)])

    def is_flat(self) -> bool:
        """Whether the component has one value throughout, like chroma of gray images."""
        low, high = np.inf, -np.inf
        for rows in (slice(0, 1), *strips(self.shape)):  # the first row alone mostly tells
            values = self[rows, :]
            low, high = min(low, values.min()), max(high, values.max())
            if high - low > _FLAT:
                return False
        return True

    def _at_full_size(self, rows: slice, columns: slice) -> np.ndarray:
        """Returns the component at pixels of the image, (rows, columns) float32."""
        pixels = self.pixels.read(rows, columns)
        used = np.flatnonzero(self.weights)
        if len(used) == 1:
            values = self.weights[used[0]] * pixels[..., used[0]].astype(np.float32)
        else:
            values = pixels[..., : len(self.weights)].astype(np.float32) @ self.weights
        values = values / np.float32(INTEGER_PEAKS.get(self.pixels.dtype, 1))
        values += np.float32(self.offset)
        if self.pixels.dtype == np.uint8:  # as the decoder had it before conversion to RGB
            values = np.rint(255 * values) / 255
        return values
