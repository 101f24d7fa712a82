"""Plans a restoration: which planes pass through the network, with which quality and tables."""

from collections.abc import Iterator

import numpy as np

from agarnet_jax.jpeg_tables import (
    BLOCK,
    MAX_QUALITY,
    network_table,
    network_tables_by_quality,
)
from agarnet_jax.models import AGARNetConfig
from agarnet_jax.restoration.chroma_detail import Detail
from agarnet_jax.restoration.components import Components
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.quality import QualityMap, apply_strength
from agarnet_jax.restoration.quality_choice import AssumedQuality
from agarnet_jax.restoration.request import Request
from agarnet_jax.restoration.tiling import Constant, PlaneInputs


def network_inputs(
    components: Components, assumed: AssumedQuality, request: Request, config: AGARNetConfig
) -> Iterator[tuple[Plane, PlaneInputs]]:
    """Yields the planes to restore, each with the inputs of `Networks.change` for it."""
    if request.strength == 0:
        return
    for plane in components.planes:
        if plane.is_flat() or (plane.chroma and not request.chroma):
            continue
        quality = assumed.for_plane(plane)
        quality_input: Constant | QualityMap
        if isinstance(quality, QualityMap):
            quality_input = quality.for_plane(plane.upsampling.factors, request.strength)
        else:
            quality_input = Constant(apply_strength(quality, request.strength).reshape(1, 1, 1))
        tables = _tables(plane, assumed.is_from_header, request, config)
        yield plane, [plane, quality_input, Constant(tables)]


def grouped_network_inputs(
    components: Components, assumed: AssumedQuality, request: Request, config: AGARNetConfig
) -> list[list[tuple[Plane, PlaneInputs]]]:
    """Returns `network_inputs`, grouped by the shape of planes."""
    by_shape: dict[tuple[int, int], list[tuple[Plane, PlaneInputs]]] = {}
    for plane, inputs in network_inputs(components, assumed, request, config):
        by_shape.setdefault(plane.shape, []).append((plane, inputs))
    return list(by_shape.values())


def detail_settings(
    components: Components, assumed: AssumedQuality, request: Request
) -> Detail | None:
    """Returns how much of luma's detail is added to restored chroma; None without chroma."""
    chroma = [plane for plane in components.planes if plane.chroma]
    if not chroma or request.strength == 0:
        return None
    quality = assumed.for_plane(chroma[0])
    mean = quality.mean() if isinstance(quality, QualityMap) else quality
    return Detail(min(1.0, request.strength), float(mean))


def _tables(
    plane: Plane, is_from_header: bool, request: Request, config: AGARNetConfig
) -> np.ndarray:
    """Returns (101, 64): the table of every quality, or a known table repeated."""
    given = None if plane.chroma else request.table
    known = plane.table if is_from_header else given
    if known is None:
        return network_tables_by_quality(config.table_scaling, base=plane.annex_k)
    steps = np.clip(np.rint(request.strength * np.asarray(known, np.float64)), 1, 255)
    return np.broadcast_to(network_table(steps), (MAX_QUALITY + 1, BLOCK * BLOCK))
