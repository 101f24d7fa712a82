"""Progressive training: the crop size, and optionally the batch size, changes at given steps."""

import dataclasses
import itertools

from agarnet_jax.jpeg_tables import BLOCK


@dataclasses.dataclass(frozen=True)
class Phase:
    """A period of training with one crop size and one batch size.

    Attributes:
      start: index of the first batch.
      crop: side of the crops.
      batch_size: over all processes.
      first_sample: index of the first sample; no sample belongs to two phases.
    """

    start: int
    crop: int
    batch_size: int
    first_sample: int = 0

    def first_sample_of(self, batch: int) -> int:
        """Returns the index of the first sample of a batch, or of the next phase's first batch."""
        return self.first_sample + (batch - self.start) * self.batch_size


def check_schedule(crop: int, schedule: tuple[tuple[int, ...], ...]) -> None:
    """Raises ValueError if the crop or the schedule is invalid."""
    for entry in schedule:
        if len(entry) not in (2, 3) or entry[-1] < 1:
            raise ValueError(
                f"DataConfig.crop_schedule has {entry}; an entry is (first step, crop) or "
                "(first step, crop, batch size)."
            )
    if any(a >= b for a, b in itertools.pairwise([0, *(entry[0] for entry in schedule)])):
        raise ValueError(
            f"DataConfig.crop_schedule is {schedule}; its steps must increase and start above 0, "
            "since DataConfig.crop applies from step 0."
        )
    for name, side in (("crop", crop), *(("crop_schedule", entry[1]) for entry in schedule)):
        if side < BLOCK or side % BLOCK:
            raise ValueError(
                f"A crop in DataConfig.{name} is {side}; it must be a positive multiple of {BLOCK}."
            )


def phases(
    crop: int, schedule: tuple[tuple[int, ...], ...], *, batch_size: int
) -> tuple[Phase, ...]:
    """Returns the phases of a schedule that `check_schedule` accepts.

    Entries without a batch size get `batch_size`.
    """
    result = [Phase(0, crop, batch_size)]
    for start, side, *size in schedule:
        first_sample = result[-1].first_sample_of(start)
        result.append(Phase(start, side, size[0] if size else batch_size, first_sample))
    return tuple(result)
