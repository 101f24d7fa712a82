"""Consistency with the file: coefficients moved back into its quantization intervals (NumPy).

Quantization with step t leaves of each DCT coefficient an interval of width t. A restoration
outside of it is wrong there for certain, and moving it to the interval's end brings it nearer to
the original (a projection onto a convex set; Zakhor, IEEE TCSVT 1992). That holds for what was
compressed once: `compression_history.assess` decides.

Intervals are told by rounded pixels, so those of fine steps are taken wider. Compressed again, the
result therefore gives most of the file's coefficients, not all.
"""

import numpy as np
from PIL import Image

from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.restoration import block_transform
from agarnet_jax.restoration.components import Change
from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.pixels import DTYPES, strips
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.splitting import split

# How far the encoder's integer arithmetic may move a coefficient, in levels.
_ENCODER = 0.25
# How far undoing the upsampling of chroma may, on top of roundings: 0.9 measured on photographs.
_UPSAMPLING = 1.0
_BITS = {dtype: bits for bits, dtype in DTYPES.items()}
_LOWEST, _HIGHEST = 0.5 / 255, 254.5 / 255


def project_image(
    restored: np.ndarray | Image.Image,
    *,
    decoded: np.ndarray | Image.Image,
    header: JpegHeader,
    chroma: bool = True,
    bits: int | None = None,
) -> np.ndarray | Image.Image:
    """The image nearest to `restored` in the intervals of a JPEG compressed once, plane by plane.

    Chroma is projected as an encoder would subsample it. What the projection moves is added to
    `restored`, so what agrees already stays exactly as it is. Planes are read by pieces: besides
    the images, memory grows with the width only.

        header = JpegHeader.of(picture)
        restored = restorer.restore(picture, quality=QualitySource.HEADER, bits=16).image
        consistent = project_image(restored, decoded=picture, header=header)

    Args:
      restored: what `Restorer.restore` made of `decoded`: an array or a Pillow picture, best of 16
        bits, so that only the result is rounded to 8.
      decoded: the JPEG file's pixels, in RGB or, which is more exact, as YCbCr picture; its grid
        begins at the corner.
      header: the file's.
      chroma: whether chroma was restored; otherwise it stays as it is.
      bits: 8 or 16 a sample of the result; None: as `decoded` has.

    Returns:
      An array, or a Pillow picture where `decoded` is one and has as many bits.

    Raises:
      ValueError: images of two sizes, or that the header does not fit.
    """
    given = restored if isinstance(restored, Image.Image) else np.asarray(restored)
    before, after = split(decoded, header=header), split(given, header=header)
    if before.size != after.size:
        raise ValueError(
            f"Consistency needs images of one size, got {after.size} restored of {before.size}."
        )
    changes = [
        _change(restored_plane, plane)
        for plane, restored_plane in zip(before.planes, after.planes)
        if chroma or not plane.chroma
    ]
    result = after.merge(changes, bits=bits or _BITS.get(before.pixels.dtype))
    as_picture = isinstance(decoded, Image.Image) and before.has_bits(bits)
    return Image.fromarray(result) if as_picture else result


def project(
    restored: np.ndarray,
    *,
    degraded: np.ndarray,
    table: np.ndarray,
    upsampled: bool = False,
    lost: np.ndarray | None = None,
) -> np.ndarray:
    """The plane nearest to `restored` in the intervals of a single JPEG of known table.

    Blocks that the sides cut, and those where the decoder clipped (a pixel of 0 or 255, or `lost`),
    are left as they are: there pixels do not tell the coefficients.

    Args:
      restored: (H, W) in [0, 1], float.
      degraded: the decoded plane (H, W), uint8, or floating point in [0, 1]; its grid begins at
        the corner.
      table: quantization table (8, 8) in raster order.
      upsampled: whether `degraded` comes from an image it was upsampled to.
      lost: (H, W) boolean, where else `degraded` is not what the decoder had (`Plane.lost`).

    Returns:
      (H, W) float32.

    Raises:
      ValueError: other shapes or dtype.
    """
    levels = degraded.dtype == np.uint8
    if restored.shape != degraded.shape or restored.ndim != 2 or restored.dtype.kind != "f":
        raise ValueError(
            f"Consistency needs planes of one size, the restored one float; got "
            f"{restored.dtype} {restored.shape} and {degraded.dtype} {degraded.shape}."
        )
    if not levels and degraded.dtype.kind != "f":
        raise ValueError(f"A decoded plane must be uint8 or float, got {degraded.dtype}.")
    if np.shape(table) != (BLOCK, BLOCK):
        raise ValueError(f"A quantization table must be (8, 8), got shape {np.shape(table)}.")
    result = np.array(restored, np.float32)
    steps = np.asarray(table, np.float32)
    for rows in _block_strips(result.shape):
        place = rows, slice(0, result.shape[1] // BLOCK * BLOCK)
        known = degraded[place].astype(np.float32) / (255 if levels else 1)
        free = (known < _LOWEST) | (known > _HIGHEST)
        if lost is not None:
            free |= lost[place]
        uncertain = _UPSAMPLING if upsampled else 0.0
        result[place] = _projected(result[place], known, steps, uncertain, free)
    return result


def _change(restored: Plane, decoded: Plane) -> Change:
    """What is to be added to a restored plane, computed where it is read."""
    upsampled = decoded.upsampling.factors != (1, 1)

    def read(first: int, last: int) -> np.ndarray:
        start = first // BLOCK * BLOCK
        rows = slice(start, min(decoded.shape[0], -(-last // BLOCK) * BLOCK))
        values = restored.subsampled(rows)
        assert decoded.table is not None  # there is a header
        projected = project(
            values,
            degraded=decoded[rows, :],
            table=decoded.table,
            upsampled=upsampled,
            lost=decoded.lost(rows),
        )
        return (projected - values)[None, first - start : last - start]

    return (restored,), read


def _block_strips(shape: tuple[int, ...]) -> list[slice]:
    """Rows in pieces of whole blocks."""
    height, width = (side - side % BLOCK for side in shape)
    if not height or not width:
        return []
    rows = next(iter(strips((height, width))))
    step = max(BLOCK, (rows.stop - rows.start) // BLOCK * BLOCK)
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]


def _projected(
    restored: np.ndarray,
    degraded: np.ndarray,
    steps: np.ndarray,
    uncertain: float,
    free: np.ndarray,
) -> np.ndarray:
    """Returns whole blocks with each coefficient moved into its interval. All in [0, 1].

    Blocks with a pixel that is `free` stay as they are.
    """
    known = block_transform.forward(255 * degraded - 128)
    # Half a level of each pixel, all for the worst, as in flat blocks: 4 levels of the mean. A step
    # of more than twice that is recovered exactly; of a finer one, the interval is as much wider.
    bound = block_transform.largest_change(0.5) + uncertain
    certain = steps > 2 * bound
    centre = np.where(certain, steps * np.rint(known / steps), known)
    reach = steps / 2 + _ENCODER + np.where(certain, 0, bound)
    found = block_transform.forward(255 * restored - 128)
    projected = block_transform.inverse(np.clip(found, centre - reach, centre + reach))
    rows, columns = (side // BLOCK for side in free.shape)
    blocks = free.reshape(rows, BLOCK, columns, BLOCK).any(axis=(1, 3))
    kept = blocks.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
    return np.where(kept, restored, (projected + 128) / 255)
