"""JPEG quantization tables (NumPy only): Annex K, quality scaling, and coefficient orders.

Sources: ITU-T T.81 Annex K (tables K.1 and K.2), the quality scaling of the IJG library,
and `AGARNET.md` §1 for the order and scale in which the released network reads a table.
"""

import enum
import functools

import numpy as np

from agarnet_jax.configs import member

BLOCK = 8
FREQUENCIES = BLOCK * BLOCK
MIN_QUALITY, MAX_QUALITY = 1, 100

# Tables K.1 and K.2 of ITU-T T.81, in raster order (row = vertical frequency).
ANNEX_K_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.int64,
)
ANNEX_K_CHROMINANCE = np.array(
    [
        [17, 18, 24, 47, 99, 99, 99, 99],
        [18, 21, 26, 66, 99, 99, 99, 99],
        [24, 26, 56, 99, 99, 99, 99, 99],
        [47, 66, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99],
    ],
    dtype=np.int64,
)


def _zigzag_order() -> np.ndarray:
    def key(raster_index: int) -> tuple[int, int]:
        row, col = divmod(raster_index, BLOCK)
        diagonal = row + col
        return diagonal, row if diagonal % 2 else col

    return np.array(sorted(range(FREQUENCIES), key=key))


# ZIGZAG[k] is the raster index (8·row + col) of the k-th coefficient in JPEG order: 0, 1, 8, 16, …
ZIGZAG = _zigzag_order()
# The same walk over the transposed block: 0, 8, 1, 2, 9, 16, … (`AGARNET.md` §1a).
TRANSPOSED_ZIGZAG = (ZIGZAG % BLOCK) * BLOCK + ZIGZAG // BLOCK
# Where each entry of a transposed table stands in the network's order of the table.
_TRANSPOSED_ENTRIES = np.argsort(TRANSPOSED_ZIGZAG)[ZIGZAG]


class TableScaling(enum.Enum):
    """How quality 1–100 scales an Annex K table.

    LIBJPEG: integer scale 5000 // q below 50, as every IJG-derived encoder writes.
    FLOAT: real scale 5000 / q below 50, as the released AGARNet computed (`AGARNET.md` §1b).
    Both use 200 − 2q from 50 on and agree there.
    """

    LIBJPEG = "libjpeg"
    FLOAT = "float"


def quality_table(
    quality: int,
    *,
    scaling: TableScaling | str = TableScaling.LIBJPEG,
    base: np.ndarray = ANNEX_K_LUMINANCE,
) -> np.ndarray:
    """Makes the quantization table of a quality: (8, 8) int64 in raster order, entries 1–255.

    Args:
      quality: an integer, 1–100.
      scaling: how quality scales the base table.
      base: the (8, 8) table of quality 50, in raster order.

    Raises:
      ValueError: `quality` is not an integer in 1–100, or no such scaling.
    """
    scaling = member(TableScaling, scaling, "scaling")
    if quality != int(quality) or not MIN_QUALITY <= quality <= MAX_QUALITY:
        raise ValueError(
            f"JPEG quality must be an integer from {MIN_QUALITY} to {MAX_QUALITY}, got {quality!r}."
        )
    quality = int(quality)
    if quality >= 50:
        scale: float = 200 - 2 * quality
    elif scaling is TableScaling.LIBJPEG:
        scale = 5000 // quality
    else:
        scale = 5000 / quality
    return np.clip(np.floor((base * scale + 50) / 100), 1, 255).astype(np.int64)


def network_order(table: np.ndarray) -> np.ndarray:
    """Puts raster (…, 8, 8) tables in the network's order: (…, 64), transposed zigzag (§1a)."""
    return np.asarray(table).reshape(*np.shape(table)[:-2], FREQUENCIES)[..., TRANSPOSED_ZIGZAG]


def network_table(table: np.ndarray) -> np.ndarray:
    """Converts raster (…, 8, 8) tables to what the network reads: (…, 64) float32 in (0, 1].

    Transposed zigzag order, divided by 255 (`AGARNET.md` §1a).
    """
    return (network_order(table) / 255).astype(np.float32)


def transposed_network_table(table: np.ndarray) -> np.ndarray:
    """Exchanges the rows and columns of tables (…, 64) that are in the network's form."""
    return table[..., _TRANSPOSED_ENTRIES]


def network_tables_by_quality(
    scaling: TableScaling | str, *, base: np.ndarray = ANNEX_K_LUMINANCE
) -> np.ndarray:
    """Lists the tables of all qualities in the network's form: (101, 64) float32, row q for q.

    Row 0 repeats row 1, so that a quality rounded to an integer indexes it directly. `scaling` and
    `base` are those of `quality_table`.
    """
    scaling = member(TableScaling, scaling, "scaling")
    return _network_tables_by_quality(scaling, np.asarray(base, np.int64).tobytes())


@functools.cache
def _network_tables_by_quality(scaling: TableScaling, base: bytes) -> np.ndarray:
    steps = np.frombuffer(base, np.int64).reshape(BLOCK, BLOCK)
    qualities = (max(q, MIN_QUALITY) for q in range(MAX_QUALITY + 1))
    tables = network_table(
        np.stack([quality_table(q, scaling=scaling, base=steps) for q in qualities])
    )
    tables.flags.writeable = False  # the cache's own
    return tables


def effective_quality(table: np.ndarray, *, base: np.ndarray = ANNEX_K_LUMINANCE) -> int:
    """Finds the quality 1–100 whose libjpeg table loses as much as `table`.

    That is, in expected squared error. An IJG table gives back its own quality; where several
    qualities lose the same, the highest.

    Args:
      table: (8, 8) or (64,), in raster order.
      base: the (8, 8) table that libjpeg scales, in raster order.
    """
    errors = _errors_by_quality(np.asarray(base, np.int64).tobytes())
    excess = np.log(errors / _expected_error(np.asarray(table)))
    return int(MAX_QUALITY - np.argmin(np.abs(excess[::-1])))


@functools.cache
def _errors_by_quality(base: bytes) -> np.ndarray:
    tables = [
        quality_table(q, base=np.frombuffer(base, np.int64).reshape(BLOCK, BLOCK))
        for q in range(MIN_QUALITY, MAX_QUALITY + 1)
    ]
    return np.array([_expected_error(table) for table in tables])


def _expected_error(table: np.ndarray) -> float:
    """Estimates the mean squared error, in gray levels, that a table leaves in a natural image.

    A coefficient loses step²/12 where steps are fine, and its variance where they are so coarse
    that it becomes zero; in between, the harmonic sum. The standard deviation is 40 / |frequency|,
    which made the answers nearest to qualities of equal squared error on photographs; that of the
    mean (frequency 0) is taken as unlimited.
    """
    vertical, horizontal = np.mgrid[:BLOCK, :BLOCK]
    distance = np.hypot(vertical, horizontal)
    inverse_variance = (distance / 40) ** 2
    steps = np.asarray(table, np.float64).reshape(BLOCK, BLOCK)
    return float(np.mean(1 / (12 / steps**2 + inverse_variance)))
