"""Options that determine the content of the shards."""

import dataclasses

from agarnet_jax.jpeg_tables import BLOCK


@dataclasses.dataclass(frozen=True)
class PrepareOptions:
    """Settings that determine the content of the shards.

    Attributes:
      tile: 0 keeps each file's bytes; N stores lossless PNG tiles of at most N×N pixels, which
        start on the boundaries of 8×8 blocks.
      min_side: images smaller than this are left out, and no tile is narrower; in pixels.
      shards: number of shards; 0 makes one for about every 256 MiB.
    """

    tile: int = 0
    min_side: int = 64
    shards: int = 0

    def __post_init__(self):
        if self.min_side < 1:
            raise ValueError(f"min_side is {self.min_side}; it must be at least 1.")
        if self.shards < 0:
            raise ValueError(f"shards is {self.shards}; it must be at least 1, or 0 to choose.")
        # A smaller tile could not give up enough columns to a narrow remainder.
        least = 2 * (-(-self.min_side // BLOCK) * BLOCK)
        if self.tile and (self.tile < least or self.tile % BLOCK):
            raise ValueError(
                f"tile is {self.tile}; it must be 0, or a multiple of {BLOCK} of at least {least} "
                f"(twice min_side)."
            )
