"""What video coding and a JPEG of the frame leave, as in the paper's table 4.

    python -m benchmarks.video_rows --clips=FOLDER [--bit_rates=0.25e6,1e6,4e6 --qualities=60,80]

MPEG-2 at a constant bit rate of the first frames of each clip, then JPEG of each frame; mean over
frames of PSNR in dB, studio-range luma. Clips are reduced to at most 320 pixels a side first, which
hides what they were compressed by. Without the paper's clip its numbers do not compare: so small
ones need lower rates to lose as much. Needs the extra `video`.
"""

import pathlib

import numpy as np
from absl import flags

from agarnet_jax.metrics import as_batch, psnr
from benchmarks.timing import print_table
from data_pipelines import clips
from data_pipelines.transcoding import VideoCodec
from experiments import program

_CLIPS = flags.DEFINE_string("clips", None, "Folder of video files.", required=True)
_BIT_RATES = flags.DEFINE_list("bit_rates", ["0.25e6", "1e6", "4e6"], "Bits a second.")
_QUALITIES = flags.DEFINE_list("qualities", ["60", "80"], "JPEG qualities.")
_FRAMES = flags.DEFINE_integer("frames", 10, "Frames of each clip.", lower_bound=1)
_LONGEST_SIDE = 320


def read_reduced(path: pathlib.Path) -> list[np.ndarray]:
    (first,) = clips.read_clip(path, frames=1)
    scale = -(-max(first.shape) // _LONGEST_SIDE)
    return clips.read_clip(path, frames=_FRAMES.value, scale=scale)


def main() -> None:
    with program.one_line_errors():
        paths = sorted(path for path in pathlib.Path(_CLIPS.value).iterdir() if path.is_file())
        videos = {path: (read_reduced(path), clips.frame_rate(path)) for path in paths}
    table = []
    for path, (frames, fps) in videos.items():
        for bit_rate in map(float, _BIT_RATES.value):
            cells = []
            for quality in map(int, _QUALITIES.value):
                coded = list(
                    clips.video_jpeg_frames(
                        frames, codec=VideoCodec.MPEG2, bit_rate=bit_rate, fps=fps, quality=quality
                    )
                )
                alone = np.mean([psnr(*map(as_batch, (video, clean))) for clean, video, _ in coded])
                saved = np.mean([psnr(*map(as_batch, (jpeg, clean))) for clean, _, jpeg in coded])
                cells.append(f"{saved:.2f}")
            size = f"{frames[0].shape[1]}×{frames[0].shape[0]}"
            table.append((path.stem, size, f"{bit_rate / 1e6:g}", f"{alone:.2f}", *cells))
    print_table(
        f"PSNR of {_FRAMES.value} frames, dB",
        ("clip", "size", "Mbit/s", "MPEG-2", *(f"then JPEG {q}" for q in _QUALITIES.value)),
        table,
    )


if __name__ == "__main__":
    program.start(main)
