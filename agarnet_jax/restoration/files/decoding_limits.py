"""Which images are decoded: our limits, which replace Pillow's own limit on pixels."""

import contextlib
import pathlib
import threading
from collections.abc import Iterator

from PIL import Image, JpegImagePlugin

from agarnet_jax.restoration.files.errors import InputError, quoted

# 250 megapixels: more than any camera writes; 0.75 GB in colour.
MAX_PIXELS = 250_000_000

_pillow_limit_lock = threading.RLock()  # reentrant: a file may be opened while another is loaded


def check(image: Image.Image, path: pathlib.Path, *, max_pixels: int) -> None:
    """Raises InputError if an opened file is empty, too large, animated or has several pages."""
    width, height = image.size
    if width < 1 or height < 1:
        raise InputError(f"{quoted(path)} holds an empty image of {width}×{height} pixels.")
    if width * height > max_pixels:
        raise InputError(
            f"{quoted(path)} has {width}×{height} = {width * height:,} pixels, more than the limit "
            f"of {max_pixels:,}; if you trust the file, use --max-pixels {width * height}."
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and not isinstance(image, JpegImagePlugin.JpegImageFile):
        raise InputError(
            f"{quoted(path)} is animated or has several pages ({frames} images); save one of them "
            "as a file."
        )


@contextlib.contextmanager
def without_pillow_limit(image: Image.Image | None = None) -> Iterator[None]:
    """Lifts Pillow's process-wide limit on pixels; `check` applies ours instead.

    To load an `image` within Pillow's limit, the setting is not touched, so that other threads can
    load at the same time.
    """
    limit = Image.MAX_IMAGE_PIXELS
    if image is not None and (limit is None or image.width * image.height <= limit):
        yield
        return
    with _pillow_limit_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
