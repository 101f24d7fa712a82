"""Configuration of the learning-rate schedule and the optimizer. All choices are ours: the paper's
training code was not released."""

import dataclasses
import enum
import itertools

from agarnet_jax.configs import Config, require


class ScheduleKind(enum.Enum):
    """The learning rate after warm-up.

    COSINE, LINEAR: cosine or linear decay to the final ratio. CONSTANT: no decay. STEPS: multiplied
    by `factor` at each milestone. STABLE_DECAY: constant, then linear decay to the final ratio
    ("warmup-stable-decay").
    """

    CONSTANT = "constant"
    COSINE = "cosine"
    LINEAR = "linear"
    STEPS = "steps"
    STABLE_DECAY = "stable_decay"


@dataclasses.dataclass(frozen=True)
class ScheduleConfig(Config):
    """The learning rate between `train.warmup_steps` and `train.steps`; fractions of that span."""

    kind: ScheduleKind = ScheduleKind.COSINE
    milestones: tuple[float, ...] = (0.5, 0.75)  # `steps`: where the rate drops; increasing
    factor: float = 0.1  # `steps`: factor of the rate at each milestone
    decay_share: float = 0.2  # `stable_decay`: fraction of the span, at its end, with decay

    def __post_init__(self):
        super().__post_init__()
        bounded = (0.0, *self.milestones, 1.0)
        if any(a >= b for a, b in itertools.pairwise(bounded)):
            raise ValueError(
                f"ScheduleConfig.milestones are {self.milestones}; they must increase between "
                "0 and 1."
            )
        require(self, "in (0, 1]", lambda value: 0 < value <= 1, "factor", "decay_share")


class OptimizerKind(enum.Enum):
    """The update rule.

    ADAM: Adam without weight decay. ADAMW: Adam with decoupled weight decay. LION: signs of the
    momentum; needs a learning rate about 3 to 10 times smaller than Adam's. MUON: orthogonalized
    momentum for kernels, Adam with Nesterov momentum for the rest; see
    `experiments/sweeps/optimizers.py`.
    """

    ADAM = "adam"
    ADAMW = "adamw"
    LION = "lion"
    MUON = "muon"


_DECAY = "at least 0 and below 1"


def _is_decay(value: float) -> bool:
    return 0 <= value < 1


@dataclasses.dataclass(frozen=True)
class AdamConfig(Config):
    """Settings of `adam`, `adamw` and of Adam within `muon`; defaults of Kingma and Ba."""

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self):
        super().__post_init__()
        require(self, _DECAY, _is_decay, "beta1", "beta2")
        require(self, "above 0", lambda value: value > 0, "epsilon")


@dataclasses.dataclass(frozen=True)
class LionConfig(Config):
    """Settings of `lion`; defaults of Chen et al."""

    beta1: float = 0.9
    beta2: float = 0.99

    def __post_init__(self):
        super().__post_init__()
        require(self, _DECAY, _is_decay, "beta1", "beta2")


@dataclasses.dataclass(frozen=True)
class MuonConfig(Config):
    """Settings of `muon`; defaults of Jordan et al. `rms` scales updates to the root mean square of
    Adam's (Liu et al., arXiv:2502.16982, section 2.2)."""

    beta: float = 0.95
    rms: float = 0.2

    def __post_init__(self):
        super().__post_init__()
        require(self, _DECAY, _is_decay, "beta")
        require(self, "above 0", lambda value: value > 0, "rms")


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(Config):
    """Settings of the update rule, applied after gradient clipping."""

    kind: OptimizerKind = OptimizerKind.ADAM
    # Decoupled, times the learning rate; all kinds but `adam`; kernels only, no biases or scalars.
    weight_decay: float = 0.0
    adam: AdamConfig = AdamConfig()
    lion: LionConfig = LionConfig()
    muon: MuonConfig = MuonConfig()

    def __post_init__(self):
        super().__post_init__()
        require(self, "0 or more", lambda value: value >= 0, "weight_decay")
        if self.weight_decay and self.kind is OptimizerKind.ADAM:
            raise ValueError(
                f"OptimizerConfig.weight_decay is {self.weight_decay}, but adam has no weight "
                "decay; use kind adamw."
            )
