"""What the network gets of each plane of an image: quality and tables beside the pixels."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from agarnet_jax.jpeg_tables import (
    BLOCK,
    MAX_QUALITY,
    effective_quality,
    network_table,
    network_tables_by_quality,
    transposed_network_table,
)
from agarnet_jax.models import AGARNetConfig
from agarnet_jax.restoration.chroma_detail import Detail
from agarnet_jax.restoration.components import Components
from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.quality import QualityMap, strengthened
from agarnet_jax.restoration.tiling import Everywhere, Layer
from agarnet_jax.restoration.wishes import Orientation, Wishes


@dataclasses.dataclass(frozen=True, eq=False)
class Assumed:
    """The quality assumed: one (), a map, or None for that of each plane's own table.

    overruled: the estimate of one quality that the header's tables were preferred to.
    """

    quality: np.ndarray | QualityMap | None
    overruled: float | None = None

    def of_plane(self, plane: Plane) -> np.ndarray | QualityMap:
        """Returns the quality of a plane at each of the image's pixels."""
        if self.quality is not None:
            return self.quality
        if plane.table is None:
            raise ValueError(
                "Quality is to come from the header, but there is none; pass the header of the "
                "JPEG file, a number, or QualitySource.IMAGE to estimate it."
            )
        return np.array(effective_quality(plane.table, base=plane.annex_k), np.float32)

    def detail(self, parts: Components, wishes: Wishes) -> Detail | None:
        """Returns how much of luma's detail restored chroma gets."""
        chroma = [plane for plane in parts.planes if plane.chroma]
        if not chroma or wishes.strength == 0:
            return None
        quality = self.of_plane(chroma[0])
        mean = quality.mean() if isinstance(quality, QualityMap) else quality
        return Detail(min(1.0, wishes.strength), float(mean))

    def whole_map(self, parts: Components) -> np.ndarray:
        """Returns the quality of the leading plane, (H, W) float32."""
        quality = self.of_plane(parts.lead)
        if isinstance(quality, QualityMap):
            return quality.whole()
        return np.broadcast_to(quality, parts.size)


def transposed_header(header: JpegHeader) -> JpegHeader:
    """Returns the header of the same file with rows and columns exchanged."""
    return dataclasses.replace(
        header,
        tables=tuple(table.T for table in header.tables),
        sampling=tuple((vertical, horizontal) for horizontal, vertical in header.sampling),
    )


def given(quality: np.ndarray) -> Assumed:
    """Wraps a quality that the user gave, () or pixel-wise (H, W)."""
    if quality.ndim == 0:
        return Assumed(quality)
    height, width = quality.shape
    return Assumed(QualityMap((height, width), lambda rows, columns: quality[rows, columns]))


def layers(
    parts: Components, assumed: Assumed, wishes: Wishes, config: AGARNetConfig
) -> Iterator[tuple[Plane, Layer]]:
    """The planes to restore, each with what `Networks.change` gets of it."""
    if wishes.strength == 0:
        return
    for plane in parts.planes:
        if plane.is_flat() or (plane.chroma and not wishes.chroma):
            continue
        quality = assumed.of_plane(plane)
        entry: Everywhere | QualityMap
        if isinstance(quality, QualityMap):
            entry = quality.for_plane(plane.upsampling.factors, wishes.strength)
        else:
            entry = Everywhere(strengthened(quality, wishes.strength).reshape(1, 1, 1))
        by_header = assumed.quality is None
        yield plane, [plane, entry, Everywhere(_tables(plane, by_header, wishes, config))]


def groups(
    parts: Components, assumed: Assumed, wishes: Wishes, config: AGARNetConfig
) -> list[list[tuple[Plane, Layer]]]:
    """`layers`, those of one shape together."""
    by_shape: dict[tuple[int, int], list[tuple[Plane, Layer]]] = {}
    for plane, layer in layers(parts, assumed, wishes, config):
        by_shape.setdefault(plane.shape, []).append((plane, layer))
    return list(by_shape.values())


def _tables(plane: Plane, by_header: bool, wishes: Wishes, config: AGARNetConfig) -> np.ndarray:
    """(101, 64): the table of every quality, or all the same where it is known."""
    known = plane.table if by_header else None if plane.chroma else wishes.table
    if known is None:
        derived = network_tables_by_quality(config.table_scaling, base=plane.annex_k)
        turned = wishes.orientation is Orientation.TRANSPOSED
        return transposed_network_table(derived) if turned else derived
    steps = np.clip(np.rint(wishes.strength * np.asarray(known, np.float64)), 1, 255)
    return np.broadcast_to(network_table(steps), (MAX_QUALITY + 1, BLOCK * BLOCK))
