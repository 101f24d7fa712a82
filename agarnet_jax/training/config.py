"""How long, how fast and on what losses to train. All of it is ours: the paper's training code
was not released."""

import dataclasses
import math

from agarnet_jax.configs import Config, require
from agarnet_jax.losses import LossConfig
from agarnet_jax.training.joint import JointOptions
from agarnet_jax.training.optimizer_config import OptimizerConfig, ScheduleConfig
from agarnet_jax.training.warm_start import InitialFit


@dataclasses.dataclass(frozen=True)
class TrainConfig(Config):
    """Settings of the training loop. Intervals count optimizer steps."""

    seed: int = 0
    steps: int = 100_000
    batch_size: int = 16  # over all devices and hosts
    accumulation: int = 1  # microbatches of a step, one after the other, in the memory of one
    fsdp: int = 1  # devices over which parameters and optimizer state are split
    learning_rate: float = 1e-3  # peak, after a linear warm-up
    warmup_steps: int = 500
    final_learning_rate_ratio: float = 0.01  # of the peak, after the last step, where it falls
    schedule: ScheduleConfig = ScheduleConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    clip_norm: float = 1.0  # of the global gradient norm
    ema_decay: float = 0.999  # of the averaged parameters that are evaluated and shipped
    loss: LossConfig = LossConfig()
    dct_loss_weight: float = 0.1  # of the loss on the DCT branch's own image; restorer only
    joint: JointOptions = JointOptions()
    log_every: int = 50
    agree_every: int = 10  # how often several processes ask each other whether one was told to stop
    eval_every: int = 5_000
    checkpoint_every: int = 1_000
    checkpoints_kept: int = 2  # the latest, 2 or more; the best is kept too
    checkpoint_keep_period: int = 0  # checkpoints of multiples of it are kept for good; 0: none
    eval_images: int = 2  # samples of each case to show in TensorBoard; 0: none
    init_fit: InitialFit = InitialFit.EXACT  # how the weights of `init_from` come into the model
    max_non_finite: int = 10  # updates skipped in a row for non-finite gradients before it stops
    stall_seconds: float = 900.0  # without a step, before all stacks are dumped; 0: never

    def __post_init__(self):
        super().__post_init__()
        intervals = ("log_every", "agree_every", "eval_every", "checkpoint_every")
        counts = ("steps", "batch_size", "accumulation", "fsdp", "max_non_finite")
        require(self, ">= 1", lambda value: value >= 1, *counts, *intervals)
        # One is being written while the other is the latest that is whole.
        require(self, ">= 2", lambda value: value >= 2, "checkpoints_kept")
        numbers = ("warmup_steps", "checkpoint_keep_period", "eval_images", "stall_seconds")
        weights = ("learning_rate", "dct_loss_weight")
        require(self, ">= 0", lambda value: value >= 0, *numbers, *weights)
        require(self, "finite", math.isfinite, *weights)
        require(self, "above 0", lambda value: value > 0, "clip_norm")
        require(self, "in 0–1", lambda value: 0 <= value <= 1, "final_learning_rate_ratio")
        require(self, "in 0–1, below 1", lambda value: 0 <= value < 1, "ema_decay")
        if self.batch_size % self.accumulation:
            raise ValueError(
                f"TrainConfig.accumulation is {self.accumulation}, which does not divide "
                f"batch_size ({self.batch_size}); use a divisor."
            )
        if self.warmup_steps >= self.steps:
            raise ValueError(
                f"TrainConfig.warmup_steps ({self.warmup_steps}) must be fewer than steps "
                f"({self.steps})."
            )
