"""Shows the main tasks in a few minutes: train, resume, score the shipped weights, restore.

    python -m experiments.demo --out=demo

Each step is a separate command, printed before it runs, on images that need no download.
"""

import pathlib
import shlex
import subprocess
import sys

from absl import flags
from PIL import Image, ImageDraw

from data_pipelines import bundled
from experiments import program

_OUT = flags.DEFINE_string("out", "demo", "Folder for images, checkpoints and results.")


def run(title: str, *arguments: str) -> None:
    """Prints a title and the command `python -m ARGUMENTS`, then runs the command."""
    print(f"\n== {title}\n$ python -m {shlex.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", *arguments], check=True)


def draw_side_by_side(before: pathlib.Path, after: pathlib.Path, out: pathlib.Path) -> None:
    """Draws both images side by side, and an enlarged detail of each below."""
    pictures = [Image.open(path).convert("RGB") for path in (before, after)]
    width, height = pictures[0].size
    detail = (width * 3 // 8, height // 16, width * 5 // 8, height // 16 + height // 4)
    sheet = Image.new("RGB", (2 * width, 2 * height))
    for column, (picture, label) in enumerate(zip(pictures, ("JPEG", "restored"))):
        sheet.paste(picture, (column * width, 0))
        zoomed = picture.crop(detail).resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(zoomed, (column * width, height))
        ImageDraw.Draw(sheet).text(
            (column * width + 8, 8), label, font_size=24, stroke_width=2, stroke_fill="black"
        )
    sheet.save(out)


def main() -> None:
    out = pathlib.Path(_OUT.value)
    with program.one_line_errors():
        bundled.write_images(out)
    training = (
        "experiments.train",
        "--config=experiments/configs/smoke.py",
        f"--config.data.train_dir={out}/train",
        f"--config.data.eval_dir={out}/valid",
        f"--workdir={out}/smoke",
    )
    run("Train the smoke configuration, first half", *training, "--stop_at=300")
    run("Run it again: it continues from its checkpoint", *training)
    run(
        "Score the shipped weights on images they were not trained on",
        "experiments.evaluate",
        f"--images={out}/valid",
        "--qualities=10,40,80",
    )
    photo, restored = out / "photo.jpg", out / "photo_restored.png"
    Image.open(out / "valid" / "astronaut.png").save(photo, quality=10)
    run("Restore a JPEG", "agarnet_jax.cli", "restore", f"{photo}", "-o", f"{restored}")
    draw_side_by_side(photo, restored, out / "side_by_side.png")
    print(f"\nLook at {out}/side_by_side.png: the JPEG on the left, restored on the right.")


if __name__ == "__main__":
    program.start(main)
