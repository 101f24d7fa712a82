"""How long, how fast and on what losses to train. All of it is ours: the paper's training code
was not released."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Settings of the training loop. Intervals count optimizer steps."""

    seed: int = 0
    steps: int = 100_000
    batch_size: int = 16  # over all devices and hosts
    learning_rate: float = 1e-3  # peak; linear warm-up, then cosine decay
    warmup_steps: int = 500
    final_learning_rate_ratio: float = 0.01  # of the peak, at the last step
    clip_norm: float = 1.0  # of the global gradient norm
    ema_decay: float = 0.999  # of the averaged parameters that are evaluated and shipped
    dct_loss_weight: float = 0.1  # of the L1 on the DCT branch's image; restorer only
    log_every: int = 50
    eval_every: int = 5_000
    checkpoint_every: int = 1_000
    checkpoints_kept: int = 2

    def __post_init__(self):
        for name in ("steps", "batch_size", "log_every", "eval_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"TrainConfig.{name} is {getattr(self, name)}; it must be >= 1.")
        if self.warmup_steps >= self.steps:
            raise ValueError(
                f"TrainConfig.warmup_steps ({self.warmup_steps}) must be fewer than steps "
                f"({self.steps})."
            )
