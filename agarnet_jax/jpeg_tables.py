"""JPEG quantization tables (NumPy only): Annex K, quality scaling, and coefficient orders.

Sources: ITU-T T.81 Annex K (tables K.1 and K.2), the quality scaling of the IJG library,
and `AGARNET.md` §1 for the order and scale of the released network's table input.
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
# The zigzag order of the transposed block: 0, 8, 1, 2, 9, 16, … (`AGARNET.md` §1a).
TRANSPOSED_ZIGZAG = (ZIGZAG % BLOCK) * BLOCK + ZIGZAG // BLOCK
# For tables in the network's order: table[_TRANSPOSED_ENTRIES] is the transposed table.
_TRANSPOSED_ENTRIES = np.argsort(TRANSPOSED_ZIGZAG)[ZIGZAG]


class TableScaling(enum.Enum):
    """How quality 1–100 scales an Annex K table.

    LIBJPEG: integer scale 5000 // q below 50, as in all encoders derived from the IJG library.
    FLOAT: real scale 5000 / q below 50, as in the released AGARNet (`AGARNET.md` §1b).
    From 50 on both use 200 − 2q and agree.
    """

    LIBJPEG = "libjpeg"
    FLOAT = "float"


def quality_table(
    quality: int,
    *,
    scaling: TableScaling | str = TableScaling.LIBJPEG,
    base: np.ndarray = ANNEX_K_LUMINANCE,
) -> np.ndarray:
    """Returns the quantization table of a quality: (8, 8) int64 in raster order, entries 1–255.

    Args:
      quality: an integer in 1–100.
      scaling: how quality scales the base table.
      base: the (8, 8) table of quality 50, in raster order.

    Raises:
      ValueError: `quality` is not an integer in 1–100, or `scaling` is unknown.
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
    """Reorders raster (…, 8, 8) tables to (…, 64) in transposed zigzag order (`AGARNET.md` §1a)."""
    return np.asarray(table).reshape(*np.shape(table)[:-2], FREQUENCIES)[..., TRANSPOSED_ZIGZAG]


def network_table(table: np.ndarray) -> np.ndarray:
    """Converts raster (…, 8, 8) tables to the network's input: (…, 64) float32 in (0, 1].

    The entries are in transposed zigzag order, divided by 255 (`AGARNET.md` §1a).
    """
    return (network_order(table) / 255).astype(np.float32)


def transposed_network_table(table: np.ndarray) -> np.ndarray:
    """Exchanges rows and columns of tables (…, 64) in the network's format."""
    return table[..., _TRANSPOSED_ENTRIES]


def network_tables_by_quality(
    scaling: TableScaling | str, *, base: np.ndarray = ANNEX_K_LUMINANCE
) -> np.ndarray:
    """Returns the tables of all qualities in the network's format, (101, 64) float32.

    Row q is the table of quality q; row 0 repeats row 1, so that a quality rounded to an integer is
    an index. `scaling` and `base` are as in `quality_table`.
    """
    scaling = member(TableScaling, scaling, "scaling")
    return _network_tables_by_quality(scaling, np.asarray(base, np.int64).tobytes())


@functools.cache
def _network_tables_by_quality(scaling: TableScaling, base: bytes) -> np.ndarray:
    base_table = np.frombuffer(base, np.int64).reshape(BLOCK, BLOCK)
    qualities = (max(q, MIN_QUALITY) for q in range(MAX_QUALITY + 1))
    tables = network_table(
        np.stack([quality_table(q, scaling=scaling, base=base_table) for q in qualities])
    )
    tables.flags.writeable = False  # shared by all callers
    return tables


def effective_quality(table: np.ndarray, *, base: np.ndarray = ANNEX_K_LUMINANCE) -> int:
    """Returns the quality 1–100 whose libjpeg table is closest in expected squared error.

    For an IJG table this is its own quality; of several equally close qualities, the highest.

    Args:
      table: (8, 8) or (64,), in raster order.
      base: the (8, 8) table of quality 50, in raster order.
    """
    errors = _errors_by_quality(np.asarray(base, np.int64).tobytes())
    log_ratios = np.log(errors / _expected_error(np.asarray(table)))
    return int(MAX_QUALITY - np.argmin(np.abs(log_ratios[::-1])))


@functools.cache
def _errors_by_quality(base: bytes) -> np.ndarray:
    tables = [
        quality_table(q, base=np.frombuffer(base, np.int64).reshape(BLOCK, BLOCK))
        for q in range(MIN_QUALITY, MAX_QUALITY + 1)
    ]
    return np.array([_expected_error(table) for table in tables])


def _expected_error(table: np.ndarray) -> float:
    """Estimates the mean squared error, in gray levels, of quantizing a natural image.

    The squared error of a coefficient is step²/12 for fine steps, and the coefficient's variance
    for steps so coarse that it is quantized to zero; in between, their harmonic sum is used. The
    standard deviation is modelled as 40 / |frequency|, the constant for which `effective_quality`
    was closest to the quality of equal squared error on photographs, and as infinite for DC.
    """
    vertical, horizontal = np.mgrid[:BLOCK, :BLOCK]
    distance = np.hypot(vertical, horizontal)
    inverse_variance = (distance / 40) ** 2
    steps = np.asarray(table, np.float64).reshape(BLOCK, BLOCK)
    return float(np.mean(1 / (12 / steps**2 + inverse_variance)))
