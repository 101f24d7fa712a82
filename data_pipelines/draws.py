"""Random choices of the pipeline, each from the generator it is given."""

import dataclasses

import numpy as np

from agarnet_jax.configs import Config


def below(bound: int, rng: np.random.Generator) -> int:
    """Draws a uniform integer in [0, bound); several times faster than `rng.integers` for one."""
    return int(rng.random() * bound)


@dataclasses.dataclass(frozen=True)
class Choices(Config):
    """Base of frozen dataclasses of floats: how often each field's name is drawn, relatively."""

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = dataclasses.asdict(self)
        if min(weights.values()) < 0 or not sum(weights.values()) > 0:
            raise ValueError(
                f"{type(self).__name__} must be 0 or more, and one of them above 0; got {weights}."
            )

    def draw(self, rng: np.random.Generator) -> str:
        weights = vars(self)
        rest = rng.random() * sum(weights.values())
        for name, weight in weights.items():
            rest -= weight
            if rest < 0:
                return name
        return next(name for name, weight in weights.items() if weight)  # by rounding
