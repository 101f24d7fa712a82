import dataclasses

import numpy as np
import pytest

from agarnet_jax.jpeg_tables import quality_table
from data_pipelines.degradations.jpeg import EncoderOptions, Jpeg, TableWeights
from data_pipelines.degradations.tables import Component
from data_pipelines.degradations.video import CodecWeights, Video, VideoOptions
from data_pipelines.transcoding import VideoCodec, transcode

BOTH = pytest.mark.parametrize("codec", VideoCodec)


def squared_error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.square(a.astype(float) - b).sum())


@pytest.mark.parametrize("pan", [(0, 0), (1, 3), (-2, 4), (3, -1), (-4, -4)])
@pytest.mark.parametrize(("frames", "frame"), [(1, 0), (5, 0), (5, 3), (5, 4)])
def test_the_clean_image_is_the_window_of_the_saved_frame(gray_photo, pan, frames, frame):
    video = Video(Jpeg(100), VideoCodec.MPEG2, 4.0, frames, frame, pan)
    side = video.input_side(48)
    assert side == 48 + (frames - 1) * max(abs(pan[0]), abs(pan[1]))
    image = gray_photo[:side, :side]
    degraded = video.apply(image)
    assert min(degraded.clean.shape) == 48
    # All windows lie within the image, and the last is `pan` × (frames − 1) from the first.
    height, width = degraded.clean.shape
    first = [max(0, -(frames - 1) * step) for step in pan]
    top, left = (start + frame * step for start, step in zip(first, pan))
    np.testing.assert_array_equal(degraded.clean, image[top : top + height, left : left + width])
    # At this bit rate, the decoded frame shows the same window; one pixel off, about 20 dB.
    error = squared_error(degraded.clean, degraded.image) / degraded.clean.size
    assert 10 * np.log10(255**2 / error) > 35


@BOTH
def test_the_frames_of_the_pan_are_coded_and_one_is_saved_as_jpeg(codec, astronaut, pillow_jpeg):
    video = Video(Jpeg(70), codec, 0.3, frames=4, frame=2, pan=(1, -2))
    for image in (astronaut[:83, :86, 1], astronaut[:83, :86]):
        windows = [image[t : t + 80, 6 - 2 * t : 86 - 2 * t] for t in range(4)]
        coded = transcode(windows, codec=codec, bit_rate=0.3 * 80 * 80 * 25, fps=25)[2]
        degraded = video.apply(image)
        np.testing.assert_array_equal(degraded.image, pillow_jpeg(coded, 70))
        np.testing.assert_array_equal(degraded.clean, windows[2])


@BOTH
@pytest.mark.parametrize("bits_per_pixel", [0.05, 0.15, 0.4])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_label_is_the_jpeg_of_equal_error(codec, bits_per_pixel, channels, astronaut):
    image = astronaut[:110, 150:260] if channels == 3 else astronaut[:110, 150:260, 1]
    video = Video(Jpeg(85), codec, bits_per_pixel, frames=4, frame=2, pan=(2, 2))
    degraded = video.apply(image)
    quality = int(degraded.quality.item())
    errors = [squared_error(degraded.clean, Jpeg(q).compress(degraded.clean)) for q in range(1, 86)]
    distance = np.abs(np.array(errors) - squared_error(degraded.clean, degraded.image))
    # Errors are not quite monotonic in quality, so a neighbour may be as close.
    assert abs(quality - (1 + np.argmin(distance))) <= 2
    np.testing.assert_array_equal(degraded.table[0, 0], quality_table(quality))


@BOTH
def test_the_worse_of_video_and_jpeg_determines_the_label(codec, gray_photo):
    def label(bits_per_pixel: float, jpeg: Jpeg) -> float:
        return (
            Video(jpeg, codec, bits_per_pixel, frames=3, frame=1).apply(gray_photo).quality.item()
        )

    by_video = [label(bits, Jpeg(90)) for bits in (0.03, 0.1, 0.3)]
    assert by_video[0] + 5 < by_video[1] < by_video[2] - 5
    by_jpeg = [label(8.0, Jpeg(quality)) for quality in (10, 50, 80)]
    assert np.abs(np.subtract(by_jpeg, (10, 50, 80))).max() <= 5
    assert (np.array(by_jpeg) <= (10, 50, 80)).all()


def test_the_table_is_that_of_the_jpeg_if_it_determines_the_label(gray_photo):
    chroma = Jpeg(10, component=Component.CHROMA)
    flat = np.full((64, 64), 100, np.uint8)  # no encoding changes it
    degraded = Video(chroma, VideoCodec.H264, 4.0).apply(flat)
    assert degraded.quality.item() == 10
    np.testing.assert_array_equal(degraded.table[0, 0], chroma.table)
    degraded = Video(Jpeg(90, component=Component.CHROMA), VideoCodec.H264, 0.05).apply(gray_photo)
    expected = Jpeg(int(degraded.quality.item()), component=Component.CHROMA).table
    np.testing.assert_array_equal(degraded.table[0, 0], expected)


def test_invalid_videos_are_rejected(gray_photo):
    with pytest.raises(ValueError, match=r"frame is 3; it must be in 0–2"):
        Video(Jpeg(50), VideoCodec.H264, 0.1, frames=3, frame=3)
    with pytest.raises(ValueError, match=r"bits_per_pixel is 0; it must be above 0"):
        Video(Jpeg(50), VideoCodec.H264, 0)
    video = Video(Jpeg(50), VideoCodec.H264, 0.1, frames=9, pan=(8, 0))
    with pytest.raises(ValueError, match=r"\(64, 160\) is too small for"):
        video.apply(gray_photo[:64])


def test_random_videos_follow_the_options():
    options = VideoOptions(
        codec=CodecWeights(mpeg2=0.25, h264=0.75),
        bits_per_pixel_min=0.01,
        bits_per_pixel_max=1.0,
        pan_max=3,
        frames_max=5,
        quality_min=60,
    )
    encoder = EncoderOptions(tables=TableWeights(ijg=1, flat=1))

    def draw(seed: int) -> list[Video]:
        rng = np.random.default_rng(seed)
        return [options.draw(rng, encoder=encoder, component=Component.CHROMA) for _ in range(600)]

    videos = draw(0)
    assert videos == draw(0)
    assert {video.jpeg.quality for video in videos} == set(range(60, 101))
    assert {video.jpeg.component for video in videos} == {Component.CHROMA}
    assert len({video.jpeg.family for video in videos}) == 2
    assert {video.pan for video in videos} == {(r, c) for r in range(-3, 4) for c in range(-3, 4)}
    assert len({(video.frames, video.frame) for video in videos}) == 1 + 2 + 3 + 4 + 5
    # 4 standard deviations over 600 draws: 0.07 for the fraction, 0.16 decades for the median of a
    # log-uniform rate.
    assert np.mean([video.codec is VideoCodec.H264 for video in videos]) == pytest.approx(
        0.75, abs=0.07
    )
    decades = np.log10([video.bits_per_pixel for video in videos])
    assert decades.min() > -2
    assert decades.max() < 0
    assert np.median(decades) == pytest.approx(-1, abs=0.17)


def test_default_options_give_widely_spread_labels(gray_photo):
    rng = np.random.default_rng(0)
    videos = [
        VideoOptions().draw(rng, encoder=EncoderOptions(), component=Component.LUMA)
        for _ in range(40)
    ]
    labels = [video.apply(gray_photo).quality.item() for video in videos]
    assert np.percentile(labels, 10) < 25
    assert np.percentile(labels, 90) > 60


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits_per_pixel_min": 0.0}, "0 < bits_per_pixel_min <= bits_per_pixel_max, got 0.0 and"),
        ({"bits_per_pixel_max": 0.01}, "got 0.04 and 0.01"),
        ({"pan_max": -1}, "pan_max is -1; it must be >= 0"),
        ({"frames_max": 0}, "frames_max is 0; it must be >= 1"),
        ({"quality_min": 101}, "quality_min is 101; it must be in 1–100"),
    ],
)
def test_invalid_options_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(VideoOptions(), **change)


@BOTH
def test_small_frames_get_the_minimum_of_bits_that_codecs_need(codec, gray_photo):
    degraded = Video(Jpeg(90), codec, 0.04).apply(gray_photo[:16, :16])  # 10 bits, 40 are needed
    assert degraded.image.shape == (16, 16)
