"""What the input pipeline reads and how it degrades it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Settings of the training and evaluation streams. Qualities are 1–100, inclusive."""

    train_dir: str = ""  # folder of clean images, read recursively
    eval_dir: str = ""  # held-out folder; empty: no evaluation
    crop: int = 64  # side of a training crop, a multiple of 8
    quality_min: int = 1  # training qualities are uniform integers in [min, max]
    quality_max: int = 100
    studio_fraction: float = 0.5  # share of crops whose luma is compressed to studio range
    eval_qualities: tuple[int, ...] = (10, 20, 40, 60, 80)
    eval_crop: int = 256  # held-out images are cropped to this side, centred
    eval_batch_size: int = 8
    workers: int = 0  # processes that make batches; 0 uses a thread, enough for a narrow network
    threads: int = 1  # per process; more of them wait for each other (Python's lock)
    cache_gib: float = 1.0  # memory for decoded images, per process; beyond it they are reread

    def __post_init__(self):
        for name in ("crop", "eval_crop"):
            value = getattr(self, name)
            if value < 8 or value % 8:
                raise ValueError(f"DataConfig.{name} is {value}; it must be a multiple of 8.")
        qualities = (self.quality_min, self.quality_max, *self.eval_qualities)
        if min(qualities) < 1 or max(qualities) > 100 or self.quality_min > self.quality_max:
            raise ValueError(
                f"DataConfig qualities must lie in 1–100 with quality_min <= quality_max, got "
                f"{self.quality_min}–{self.quality_max} and eval_qualities {self.eval_qualities}."
            )
        if not 0 <= self.studio_fraction <= 1:
            raise ValueError(f"DataConfig.studio_fraction is {self.studio_fraction}, not in 0–1.")
