"""Random draws, each from an explicit generator."""

import dataclasses

import numpy as np

from agarnet_jax.configs import Config


def randbelow(bound: int, rng: np.random.Generator) -> int:
    """Draws one uniform integer in [0, bound), several times faster than `rng.integers`."""
    return int(rng.random() * bound)


@dataclasses.dataclass(frozen=True)
class Choices(Config):
    """Base of frozen dataclasses of floats, the relative frequencies with which names are drawn."""

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = dataclasses.asdict(self)
        if min(weights.values()) < 0 or not sum(weights.values()) > 0:
            raise ValueError(
                f"{type(self).__name__} must be 0 or more, and at least one above 0; got {weights}."
            )

    def draw(self, rng: np.random.Generator) -> str:
        """Returns the name of a field."""
        weights = vars(self)
        remaining = rng.random() * sum(weights.values())
        for name, weight in weights.items():
            remaining -= weight
            if remaining < 0:
                return name
        # Reached only by rounding.
        return next(name for name, weight in weights.items() if weight)
