"""Progressive training: crops, and perhaps batches, that change their size at given steps."""

import dataclasses
import itertools

from agarnet_jax.jpeg_tables import BLOCK


@dataclasses.dataclass(frozen=True)
class Phase:
    """A run of batches of one size.

    Attributes:
      start: number of its first batch.
      crop: side of its crops.
      batch_size: of all processes together.
      first_sample: number of its first sample; phases share none.
    """

    start: int
    crop: int
    batch_size: int
    first_sample: int = 0

    def then(self, start: int, crop: int, batch_size: int) -> "Phase":
        """Returns the phase that follows this one from batch `start` on."""
        samples = (start - self.start) * self.batch_size
        return Phase(start, crop, batch_size, self.first_sample + samples)


def check_schedule(crop: int, schedule: tuple[tuple[int, ...], ...]) -> None:
    """Raises ValueError unless `phases` can be made of them."""
    for entry in schedule:
        if len(entry) not in (2, 3) or entry[-1] < 1:
            raise ValueError(
                f"DataConfig.crop_schedule has {entry}; it takes (from step, crop) or "
                "(from step, crop, batch size)."
            )
    if any(a >= b for a, b in itertools.pairwise([0, *(entry[0] for entry in schedule)])):
        raise ValueError(
            f"DataConfig.crop_schedule is {schedule}; its steps must rise from above 0, where "
            "DataConfig.crop holds."
        )
    for name, side in (("crop", crop), *(("crop_schedule", entry[1]) for entry in schedule)):
        if side < BLOCK or side % BLOCK:
            raise ValueError(
                f"A side of DataConfig.{name} is {side}; it must be a multiple of {BLOCK}."
            )


def phases(
    crop: int, schedule: tuple[tuple[int, ...], ...], *, batch_size: int
) -> tuple[Phase, ...]:
    """Returns the phases of a schedule that `check_schedule` has passed.

    An entry without a batch size of its own takes `batch_size`.
    """
    found = [Phase(0, crop, batch_size)]
    for start, side, *size in schedule:
        found.append(found[-1].then(start, side, *(size or [batch_size])))
    return tuple(found)
