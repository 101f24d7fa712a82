"""PSNR of text and graphics, and of photographs among them, before and after restoration.

    python -m benchmarks.screenshots --images=FOLDER [--weights=tiny] [--count=8] [--qualities=75]

Pages of text and a window of an application are drawn, 640×480. The first table is about those that
were saved as JPEG (4:2:0), restored from the file, from a PNG of its pixels, and with the network's
estimate alone, and about those that never were. For the second, JPEG photographs of up to 256×256
pixels are pasted into them at various positions: the PSNR of the photograph, and of what is around
it, which should stay as it is. All are restored as `agarnet restore` does, and some with
`--quality N`, which restores everything.
"""

import functools
import io
import pathlib
import tempfile
from collections.abc import Callable, Iterator

import matplotlib
import numpy as np
from absl import flags
from PIL import Image, ImageDraw, ImageFont

from agarnet_jax.restoration import Restorer
from agarnet_jax.restoration.files.one_file import restore_file
from agarnet_jax.restoration.files.options import RestoreOptions
from benchmarks.images import load_images, psnr, saved_jpeg
from benchmarks.restorers import load_restorer
from benchmarks.timing import print_table
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_COUNT = flags.DEFINE_integer("count", 8, "Number of images to use.")
_QUALITIES = flags.DEFINE_list("qualities", ["20", "50", "75", "90"], "JPEG qualities.")

_SIZE = (640, 480)
_PHOTO_SIDE = 256  # pixels
# Another typeface than that of training data with `config.data.graphics`.
_FONT = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
_SMALLEST_ERROR = 1e-6  # 108 dB
_TEXT = "Pack my box with five dozen jugs of liquid, and restore what the JPEG has lost."


def draw_page(ink: str, paper: str) -> np.ndarray:
    picture = Image.new("RGB", _SIZE, paper)
    draw, font, random = ImageDraw.Draw(picture), ImageFont.truetype(_FONT, 12), _random()
    for top in range(6, _SIZE[1], 18):
        draw.text((6, top), " ".join(random.choice(_TEXT.split(), size=18)), ink, font)
    return np.asarray(picture)


def draw_window() -> np.ndarray:
    """Draws a title bar, a list, and rows of buttons with labels."""
    (width, height), random = _SIZE, _random()
    picture = Image.new("RGB", _SIZE, "#f0f0f3")
    draw, font = ImageDraw.Draw(picture), ImageFont.truetype(_FONT, 12)
    draw.rectangle((0, 0, width, 28), "#34496e")
    draw.text((10, 6), "Application", "white", font)
    draw.rectangle((0, 28, 90, height), "#e1e4eb")
    for top in range(40, height, 26):
        draw.text((8, top), random.choice(_TEXT.split()), "#283c5a", font)
    for top in range(44, height, 32):
        for left in range(110, width, 130):
            color = tuple(random.integers(30, 230, 3).tolist())
            draw.rounded_rectangle((left, top, left + 40, top + 18), 5, color, "#5a5a5a")
            draw.text((left + 48, top), random.choice(_TEXT.split()), "#141414", font)
    return np.asarray(picture)


def _random() -> np.random.Generator:
    return np.random.default_rng(0)


GRAPHICS: dict[str, Callable[[], np.ndarray]] = {
    "black on white": functools.partial(draw_page, "black", "white"),
    "white on dark": functools.partial(draw_page, "#e1e1e6", "#1c1e24"),
    "window": draw_window,
}


def restored(restorer: Restorer, contents: bytes, *, quality: float | None = None) -> np.ndarray:
    """Restores the contents of a file as `agarnet restore` does."""
    options = RestoreOptions() if quality is None else RestoreOptions(quality=quality)
    with tempfile.TemporaryDirectory() as name:
        source, destination = (pathlib.Path(name, file) for file in ("source", "restored.png"))
        source.write_bytes(contents)
        restore_file(source, destination, restorer=restorer, options=options)
        return np.asarray(Image.open(destination).convert("RGB"))


def encoded(image: np.ndarray | Image.Image, format: str, **options: int) -> bytes:
    file = io.BytesIO()
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    picture.save(file, format, **options)
    return file.getvalue()


def decibels(image: np.ndarray, clean: np.ndarray) -> str:
    value = psnr(image, clean)
    return f"{value:.1f}" if np.isfinite(value) else "exact"


def graphics_rows(restorer: Restorer) -> Iterator[list[str]]:
    network = Restorer(restorer.weights, use_traces=False)
    for name, draw in GRAPHICS.items():
        clean = draw()
        png = encoded(clean, "PNG")
        never = [decibels(restored(by, png), clean) for by in (restorer, network)]
        yield [name, "never", "–", "–", *never]
        for quality in map(int, _QUALITIES.value):
            jpeg = encoded(clean, "JPEG", quality=quality)
            picture = Image.open(io.BytesIO(jpeg))
            images = (
                np.asarray(picture),
                restored(restorer, jpeg),
                restored(restorer, encoded(np.asarray(picture), "PNG")),
                restored(network, encoded(np.asarray(picture), "PNG")),
            )
            yield [name, str(quality), *(decibels(image, clean) for image in images)]


def photograph_rows(restorer: Restorer, photographs: list[np.ndarray]) -> Iterator[list[str]]:
    """Yields means over the photographs; each is pasted at another position."""
    for name, draw in GRAPHICS.items():
        for quality in map(int, _QUALITIES.value):
            scores = np.mean(
                [
                    _scores(restorer, draw(), photo, quality, _corner(i))
                    for i, photo in enumerate(photographs)
                ],
                axis=0,
            )
            yield [name, str(quality), *(f"{score:.2f}" for score in scores)]


def _corner(index: int) -> tuple[int, int]:
    """Returns where a photograph is pasted, (row, column), so that it fits into the page."""
    width, height = _SIZE
    return (37 + 11 * index) % (height - _PHOTO_SIDE), (53 + 6 * index) % (width - _PHOTO_SIDE)


def _scores(
    restorer: Restorer,
    page: np.ndarray,
    photo: np.ndarray,
    quality: int,
    corner: tuple[int, int],
) -> list[float]:
    """Returns the PSNR of the photograph, in the JPEG and restored, and of what is around it."""
    photo = photo[:_PHOTO_SIDE, :_PHOTO_SIDE]
    inside = np.zeros(page.shape[:2], bool)
    inside[tuple(slice(c, c + side) for c, side in zip(corner, photo.shape))] = True
    clean, screenshot = page.copy(), page.copy()
    clean[inside] = photo.reshape(-1, 3)
    screenshot[inside] = np.asarray(saved_jpeg(photo, quality)).reshape(-1, 3)
    contents = encoded(screenshot, "PNG")
    images = (
        screenshot,
        restored(restorer, contents),
        restored(restorer, contents, quality=quality),
    )
    errors = [np.square(image.astype(float) - clean) for image in images]
    of_photo = [error[inside].mean() for error in errors]
    around = [error[~inside].mean() for error in errors[1:]]
    return [10 * np.log10(255**2 / max(error, _SMALLEST_ERROR)) for error in of_photo + around]


def main() -> None:
    restorer = load_restorer(_WEIGHTS.value)
    print_table(
        "Text and graphics alone, PSNR in dB",
        ("drawn", "quality", "JPEG", "restored", "restored from PNG", "with the estimate"),
        graphics_rows(restorer),
    )
    photographs = load_images(_IMAGES.value, _COUNT.value)
    print_table(
        f"Around {len(photographs)} photographs of {_IMAGES.value}, PSNR in dB",
        (
            "drawn",
            "quality",
            "photograph: JPEG",
            "restored",
            "quality given",
            "graphics: restored",
            "quality given",
        ),
        photograph_rows(restorer, photographs),
    )


if __name__ == "__main__":
    program.start(main)
