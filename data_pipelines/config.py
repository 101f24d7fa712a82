"""Configuration of the input pipeline: data sources, sampling and degradations."""

import dataclasses

from agarnet_jax.configs import Config, require
from data_pipelines.degradations.mixture import DegradationConfig
from data_pipelines.phases import Phase, check_schedule, phases
from data_pipelines.planes import PlaneWeights


@dataclasses.dataclass(frozen=True)
class DataConfig(Config):
    """Settings of the training and evaluation data. Qualities are 1–100, inclusive."""

    # clean images: a folder, prepared shards, "tfds:NAME#SPLIT", or the URL of a folder or shards
    train_dir: str = ""
    eval_dir: str = ""  # held-out images, given as for train_dir; empty: no evaluation
    crop: int = 64  # side of a training crop in pixels, a multiple of 8
    # Progressive training, ours: entries are (first step, crop) or (first step, crop, batch size),
    # such as ((30000, 96), (60000, 128, 4)). The batch size defaults to train.batch_size. Each
    # entry compiles its own program.
    crop_schedule: tuple[tuple[int, ...], ...] = ()
    # fraction of training samples over which text and shapes are drawn before they are degraded
    graphics: float = 0.0
    planes: PlaneWeights = PlaneWeights()
    degradation: DegradationConfig = DegradationConfig()
    eval_qualities: tuple[int, ...] = (10, 20, 40, 60, 80)  # single JPEGs: one case per quality
    # double JPEGs: first and second quality, with the grid shifted by (4, 4) in between
    eval_doubles: tuple[tuple[int, int], ...] = ()
    eval_mosaics: tuple[tuple[int, int], ...] = ()  # mosaics: qualities of the left and right half
    eval_crop: int = 256  # side of the centre crop of held-out images
    eval_batch_size: int = 8  # over all processes
    workers: int = 0  # processes that make batches; 0: a thread, enough for a narrow network
    threads: int = 1  # per process; more than one contend for Python's global interpreter lock
    cache_gib: float = 1.0  # memory for decoded images, per process; others are decoded again

    def __post_init__(self):
        super().__post_init__()
        require(self, ">= 1", lambda value: value >= 1, "eval_batch_size", "threads")
        require(self, ">= 0", lambda value: value >= 0, "workers", "cache_gib")
        require(self, "in 0–1", lambda value: 0 <= value <= 1, "graphics")
        check_schedule(self.crop, self.crop_schedule)
        require(self, "a multiple of 8", lambda side: side > 0 and side % 8 == 0, "eval_crop")
        pairs = (*self.eval_doubles, *self.eval_mosaics)
        for quality in (*self.eval_qualities, *(q for pair in pairs for q in pair)):
            if not 1 <= quality <= 100:
                raise ValueError(f"DataConfig evaluates at quality {quality}; it must be in 1–100.")
        if self.eval_dir and not (self.eval_qualities or pairs):
            raise ValueError(
                f"DataConfig.eval_dir is {self.eval_dir!r}, but there is no case to evaluate; set "
                "eval_qualities, eval_doubles or eval_mosaics."
            )

    def phases(self, batch_size: int) -> tuple[Phase, ...]:
        """Returns the phases of training; those without a batch size get `batch_size`."""
        return phases(self.crop, self.crop_schedule, batch_size=batch_size)

    @property
    def largest_crop(self) -> int:
        return max(phase.crop for phase in self.phases(1))
