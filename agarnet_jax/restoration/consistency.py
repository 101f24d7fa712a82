"""Projects a restored image onto the quantization constraint set of its JPEG file (NumPy).

Quantization with step t confines each original DCT coefficient to an interval of width t. A
restored coefficient outside its interval is certainly wrong, and moving it to the interval's
nearer end brings it closer to the original (projection onto a convex set; Zakhor, IEEE TCSVT 1992).
This holds for images compressed once, which `compression_history.assess` decides.

Intervals are computed from rounded pixels, so those of fine steps are widened. Therefore, when the
result is compressed again, most of the file's coefficients are reproduced, not all.
"""

import numpy as np
from PIL import Image

from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.restoration import block_transform
from agarnet_jax.restoration.block_transform import LEVEL_SHIFT
from agarnet_jax.restoration.components import Change
from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.merging import merge
from agarnet_jax.restoration.pixels import DTYPES, strips
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.splitting import split

# How far the encoder's integer arithmetic may move a coefficient, in levels.
_ENCODER_ERROR = 0.25
# How far inverting the upsampling of chroma may move one beyond that; 0.9 measured on photographs.
_UPSAMPLING_ERROR = 1.0
_BITS = {dtype: bits for bits, dtype in DTYPES.items()}
_LOWEST, _HIGHEST = 0.5 / 255, 254.5 / 255  # beyond these, the decoder may have clipped


def project_image(
    restored: np.ndarray | Image.Image,
    *,
    decoded: np.ndarray | Image.Image,
    header: JpegHeader,
    chroma: bool = True,
    bits: int | None = None,
) -> np.ndarray | Image.Image:
    """Projects a restored image onto the quantization constraints of a JPEG compressed once.

    Each plane is projected on its own, chroma after subsampling it as an encoder would. The
    difference is added to `restored`, so pixels that already satisfy the constraints stay exactly
    as they are. Planes are processed in strips: beyond the images themselves, memory grows with
    the width only.

        header = JpegHeader.of(image)
        restored = restorer.restore(image, quality=QualitySource.HEADER, bits=16).image
        consistent = project_image(restored, decoded=image, header=header)

    Args:
      restored: the result of `Restorer.restore` for `decoded`, an array or a Pillow image;
        preferably with 16 bits, so that only the projected image is rounded to 8.
      decoded: the JPEG file's pixels, as RGB or, more precisely, as a YCbCr image; the 8×8 grid
        begins at the top left corner.
      header: the file's header.
      chroma: whether chroma was restored; otherwise it is left unchanged.
      bits: 8 or 16 bits per sample of the result; None: as `decoded`.

    Returns:
      A Pillow image if `decoded` is one with that many bits, otherwise an array.

    Raises:
      ValueError: the images differ in size, or the header does not match them.
    """
    given = restored if isinstance(restored, Image.Image) else np.asarray(restored)
    before, after = split(decoded, header=header), split(given, header=header)
    if before.size != after.size:
        raise ValueError(
            f"The restored image must have the decoded image's size {before.size}, got "
            f"{after.size}."
        )
    changes = [
        _change(restored_plane, plane)
        for plane, restored_plane in zip(before.planes, after.planes)
        if chroma or not plane.chroma
    ]
    result = merge(after, changes, bits=bits or _BITS.get(before.pixels.dtype))
    as_pillow = isinstance(decoded, Image.Image) and before.has_bits(bits)
    return Image.fromarray(result) if as_pillow else result


def project(
    restored: np.ndarray,
    *,
    degraded: np.ndarray,
    table: np.ndarray,
    upsampled: bool = False,
    unreliable: np.ndarray | None = None,
) -> np.ndarray:
    """Projects a restored plane onto the quantization intervals of a single JPEG of known table.

    Partial blocks at the sides, and blocks that the decoder may have clipped (with a pixel of 0 or
    255, or an unreliable sample), are left unchanged: their pixels do not determine the
    coefficients.

    Args:
      restored: (H, W) in [0, 1], float.
      degraded: the decoded plane (H, W), uint8, or floating point in [0, 1]; the 8×8 grid begins
        at the top left corner.
      table: quantization table (8, 8) in raster order.
      upsampled: whether `degraded` was obtained by inverting an upsampling.
      unreliable: (H, W) boolean, samples where `degraded` differs from what the decoder computed
        (`Plane.unreliable_samples`).

    Returns:
      (H, W) float32.

    Raises:
      ValueError: wrong shapes or dtype.
    """
    levels = degraded.dtype == np.uint8
    if restored.shape != degraded.shape or restored.ndim != 2 or restored.dtype.kind != "f":
        raise ValueError(
            "The restored plane must be a float array (H, W) of the decoded plane's shape; got "
            f"{restored.dtype} {restored.shape} for {degraded.dtype} {degraded.shape}."
        )
    if not levels and degraded.dtype.kind != "f":
        raise ValueError(f"A decoded plane must be uint8 or float, got {degraded.dtype}.")
    if np.shape(table) != (BLOCK, BLOCK):
        raise ValueError(f"A quantization table must be (8, 8), got shape {np.shape(table)}.")
    result = np.array(restored, np.float32)
    steps = np.asarray(table, np.float32)
    height, width = (side - side % BLOCK for side in result.shape)
    for rows in strips((height, width), unit=BLOCK) if width else ():
        strip = rows, slice(0, width)
        decoded = degraded[strip].astype(np.float32) / (255 if levels else 1)
        excluded = (decoded < _LOWEST) | (decoded > _HIGHEST)
        if unreliable is not None:
            excluded |= unreliable[strip]
        extra_error = _UPSAMPLING_ERROR if upsampled else 0.0
        result[strip] = _project_blocks(result[strip], decoded, steps, extra_error, excluded)
    return result


def _change(restored: Plane, decoded: Plane) -> Change:
    """Returns the change that projects a restored plane, computed as it is read."""
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
            unreliable=decoded.unreliable_samples(rows),
        )
        return (projected - values)[None, first - start : last - start]

    return (restored,), read


def _project_blocks(
    restored: np.ndarray,
    decoded: np.ndarray,
    steps: np.ndarray,
    extra_error: float,
    excluded: np.ndarray,
) -> np.ndarray:
    """Clips the coefficients of whole blocks to their quantization intervals. Planes are in [0, 1].

    Blocks with an `excluded` pixel are returned unchanged.
    """
    decoded_coefficients = block_transform.forward(255 * decoded - LEVEL_SHIFT)
    # Worst case of rounding each pixel by half a level, all in one direction as in flat blocks: 4
    # levels for the mean. A step above twice the bound is recovered exactly; below, the interval
    # is widened by the bound.
    bound = block_transform.largest_change(0.5) + extra_error
    exact = steps > 2 * bound
    centre = np.where(exact, steps * np.rint(decoded_coefficients / steps), decoded_coefficients)
    radius = steps / 2 + _ENCODER_ERROR + np.where(exact, 0, bound)
    coefficients = block_transform.forward(255 * restored - LEVEL_SHIFT)
    projected = block_transform.inverse(np.clip(coefficients, centre - radius, centre + radius))
    rows, columns = (side // BLOCK for side in excluded.shape)
    unchanged = excluded.reshape(rows, BLOCK, columns, BLOCK).any(axis=(1, 3))
    unchanged = unchanged.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
    return np.where(unchanged, restored, (projected + LEVEL_SHIFT) / 255)
