"""Settings of the training loop. All of them are ours: the paper's training code was not
released."""

import dataclasses
import math

from agarnet_jax.configs import Config, require
from agarnet_jax.losses import LossConfig
from agarnet_jax.training.joint import JointOptions
from agarnet_jax.training.optimizer_config import OptimizerConfig, ScheduleConfig
from agarnet_jax.training.warm_start import InitialFit


@dataclasses.dataclass(frozen=True)
class TrainConfig(Config):
    """Settings of the training loop. Intervals are in optimizer steps."""

    seed: int = 0
    steps: int = 100_000
    batch_size: int = 16  # global: over all devices and hosts
    accumulation: int = 1  # gradient accumulation: sequential microbatches, in the memory of one
    fsdp: int = 1  # devices that parameters and optimizer state are sharded over
    learning_rate: float = 1e-3  # peak, reached by a linear warm-up
    warmup_steps: int = 500
    final_learning_rate_ratio: float = 0.01  # of the peak, at the end of decaying schedules
    schedule: ScheduleConfig = ScheduleConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    clip_norm: float = 1.0  # maximum global norm of the gradient
    ema_decay: float = 0.999  # of the EMA parameters, which are evaluated and shipped
    loss: LossConfig = LossConfig()
    dct_loss_weight: float = 0.1  # of the loss on the DCT branch's own output; restorer only
    joint: JointOptions = JointOptions()
    log_every: int = 50
    agree_every: int = 10  # how often processes agree on whether one was asked to stop
    eval_every: int = 5_000
    checkpoint_every: int = 1_000
    checkpoints_kept: int = 2  # latest ones, 2 or more; the best one is kept as well
    checkpoint_keep_period: int = 0  # steps divisible by it are kept permanently; 0: none
    eval_images: int = 2  # samples of each case shown in TensorBoard; 0: none
    init_fit: InitialFit = InitialFit.EXACT  # how the weights of `init_from` are loaded
    max_non_finite: int = 10  # consecutive non-finite updates skipped before the run stops
    stall_seconds: float = 900.0  # without a step before all thread stacks are dumped; 0: never

    def __post_init__(self):
        super().__post_init__()
        intervals = ("log_every", "agree_every", "eval_every", "checkpoint_every")
        counts = ("steps", "batch_size", "accumulation", "fsdp", "max_non_finite")
        require(self, ">= 1", lambda value: value >= 1, *counts, *intervals)
        # While one is being written, the other is the latest complete one.
        require(self, ">= 2", lambda value: value >= 2, "checkpoints_kept")
        non_negative = ("warmup_steps", "checkpoint_keep_period", "eval_images", "stall_seconds")
        weights = ("learning_rate", "dct_loss_weight")
        require(self, ">= 0", lambda value: value >= 0, *non_negative, *weights)
        require(self, "finite", math.isfinite, *weights)
        require(self, "above 0", lambda value: value > 0, "clip_norm")
        require(self, "in 0–1", lambda value: 0 <= value <= 1, "final_learning_rate_ratio")
        require(self, "in 0–1, below 1", lambda value: 0 <= value < 1, "ema_decay")
        if self.warmup_steps >= self.steps:
            raise ValueError(
                f"TrainConfig.warmup_steps ({self.warmup_steps}) must be less than steps "
                f"({self.steps})."
            )
