"""What the network gets of each plane of an image: quality and tables beside the pixels."""

from collections.abc import Iterator

import numpy as np

from agarnet_jax.jpeg_tables import (
    BLOCK,
    MAX_QUALITY,
    network_table,
    network_tables_by_quality,
    transposed_network_table,
)
from agarnet_jax.models import AGARNetConfig
from agarnet_jax.restoration.components import Components
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.quality import QualityMap, strengthened
from agarnet_jax.restoration.quality_choice import Assumed
from agarnet_jax.restoration.request import Orientation, Request
from agarnet_jax.restoration.tiling import Everywhere, Layer


def layers(
    parts: Components, assumed: Assumed, request: Request, config: AGARNetConfig
) -> Iterator[tuple[Plane, Layer]]:
    """The planes to restore, each with what `Networks.change` gets of it."""
    if request.strength == 0:
        return
    for plane in parts.planes:
        if plane.is_flat() or (plane.chroma and not request.chroma):
            continue
        quality = assumed.of_plane(plane)
        entry: Everywhere | QualityMap
        if isinstance(quality, QualityMap):
            entry = quality.for_plane(plane.upsampling.factors, request.strength)
        else:
            entry = Everywhere(strengthened(quality, request.strength).reshape(1, 1, 1))
        by_header = assumed.quality is None
        yield plane, [plane, entry, Everywhere(_tables(plane, by_header, request, config))]


def groups(
    parts: Components, assumed: Assumed, request: Request, config: AGARNetConfig
) -> list[list[tuple[Plane, Layer]]]:
    """`layers`, those of one shape together."""
    by_shape: dict[tuple[int, int], list[tuple[Plane, Layer]]] = {}
    for plane, layer in layers(parts, assumed, request, config):
        by_shape.setdefault(plane.shape, []).append((plane, layer))
    return list(by_shape.values())


def _tables(plane: Plane, by_header: bool, request: Request, config: AGARNetConfig) -> np.ndarray:
    """(101, 64): the table of every quality, or all the same where it is known."""
    known = plane.table if by_header else None if plane.chroma else request.table
    if known is None:
        derived = network_tables_by_quality(config.table_scaling, base=plane.annex_k)
        turned = request.orientation is Orientation.TRANSPOSED
        return transposed_network_table(derived) if turned else derived
    steps = np.clip(np.rint(request.strength * np.asarray(known, np.float64)), 1, 255)
    return np.broadcast_to(network_table(steps), (MAX_QUALITY + 1, BLOCK * BLOCK))
