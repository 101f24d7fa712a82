"""Configuration of the learning rate and of the update rule. All choices are ours: the paper's
training code was not released."""

import dataclasses
import enum
import itertools

from agarnet_jax.configs import Config, require


class ScheduleKind(enum.Enum):
    """The learning rate after warm-up.

    COSINE, LINEAR: falls to its final ratio along a cosine, or a line. CONSTANT: stays. STEPS: is
    multiplied by `factor` at each milestone. STABLE_DECAY: stays, then falls along a line to its
    final ratio ("warmup-stable-decay").
    """

    CONSTANT = "constant"
    COSINE = "cosine"
    LINEAR = "linear"
    STEPS = "steps"
    STABLE_DECAY = "stable_decay"


@dataclasses.dataclass(frozen=True)
class ScheduleConfig(Config):
    """The learning rate between `train.warmup_steps` and `train.steps`; shares are of that span."""

    kind: ScheduleKind = ScheduleKind.COSINE
    milestones: tuple[float, ...] = (0.5, 0.75)  # `steps`: where the rate drops, rising shares
    factor: float = 0.1  # `steps`: what each milestone multiplies the rate by
    decay_share: float = 0.2  # `stable_decay`: the last part, in which the rate falls

    def __post_init__(self):
        super().__post_init__()
        rising = (0.0, *self.milestones, 1.0)
        if any(a >= b for a, b in itertools.pairwise(rising)):
            raise ValueError(
                f"ScheduleConfig.milestones are {self.milestones}; they must rise between 0 and 1."
            )
        require(self, "in (0, 1]", lambda value: 0 < value <= 1, "factor", "decay_share")


class OptimizerKind(enum.Enum):
    """The update rule.

    ADAM: Adam without weight decay. ADAMW: Adam with decoupled weight decay. LION: the sign of a
    running average, with a learning rate some 3 to 10 times smaller than Adam's. MUON:
    orthogonalized momentum for kernels, Adam (with Nesterov's momentum) for the rest; see
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
    """Settings of `adam`, `adamw` and Adam's part of `muon`; defaults of Kingma and Ba."""

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
    """Settings of `muon`; defaults of Jordan et al., the scale that of Liu et al.
    (arXiv:2502.16982, section 2.2): an update's root mean square is then Adam's."""

    beta: float = 0.95
    rms: float = 0.2

    def __post_init__(self):
        super().__post_init__()
        require(self, _DECAY, _is_decay, "beta")
        require(self, "above 0", lambda value: value > 0, "rms")


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(Config):
    """Settings of the update rule, which follows clipping."""

    kind: OptimizerKind = OptimizerKind.ADAM
    # All but `adam`, times the learning rate; of kernels, not of biases and single numbers.
    weight_decay: float = 0.0
    adam: AdamConfig = AdamConfig()
    lion: LionConfig = LionConfig()
    muon: MuonConfig = MuonConfig()

    def __post_init__(self):
        super().__post_init__()
        require(self, "0 or more", lambda value: value >= 0, "weight_decay")
        if self.weight_decay and self.kind is OptimizerKind.ADAM:
            raise ValueError(
                f"OptimizerConfig.weight_decay is {self.weight_decay}, but adam has none; "
                "choose kind adamw."
            )
