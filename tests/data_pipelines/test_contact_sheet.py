import numpy as np
import pytest
from PIL import Image

from data_pipelines import contact_sheet, transforms
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.mosaic import Mosaic, Region, halves
from data_pipelines.degradations.recompression import double
from data_pipelines.planes import TrainingPlane


def sample(image, degradation, *, side=64):
    return transforms.make_sample(
        degradation.apply(image),
        side=side,
        pixelwise=True,
        metadata=transforms.describe(TrainingPlane.FULL, degradation),
    )


def test_the_sheet_shows_the_pixels_of_each_sample(gray_photo):
    image = gray_photo[:68, :68]
    samples = [sample(image, d) for d in (Jpeg(5), double(30, 10, shift=(4, 4)), halves(5, 95))]
    sheet = contact_sheet.draw(samples)
    for row, one in enumerate(samples):
        top = 24 + row * (192 + 8)
        for column, name in enumerate(("clean", "degraded")):
            left = column * (192 + 8)
            tile = sheet.crop((left, top, left + 192, top + 192)).convert("L")
            shown = np.asarray(tile.resize((64, 64), Image.Resampling.BOX))
            np.testing.assert_array_equal(shown, one[name][..., 0])
    label = np.asarray(sheet)[424 + 96, 600:792]
    assert label[10, 0] > label[10, 1]  # low quality is red
    assert label[-10, 1] > label[-10, 0]  # high quality is green


def test_the_longest_caption_ends_above_the_next_row(gray_photo):
    mosaic = Mosaic(tuple(Region(0, 0, 1, 1, Jpeg(5)) for _ in range(4)), whole=Jpeg(80))
    sheet = contact_sheet.draw([sample(gray_photo[:32, :32], mosaic, side=32)] * 2)
    captions = np.asarray(sheet)[:, 4 * (160 + 8) :]
    assert captions[24 : 24 + 160].min() == 0
    assert captions[24 + 160 : 24 + 168].min() == 255


def test_the_summary_has_metadata_label_and_psnr(gray_photo):
    one = sample(gray_photo[:64, :64], halves(5, 95))
    summary = contact_sheet.summary(one)
    assert summary["degradation"] == "Mosaic"
    assert summary["plane"] == "full"
    assert summary["label"] == [5, 95]
    error = np.mean((one["clean"].astype(float) - one["degraded"]) ** 2)
    assert summary["psnr"] == pytest.approx(10 * np.log10(255**2 / error))
    assert [region["jpeg"]["quality"] for region in summary["regions"]] == [5, 95]
    flat = sample(np.full((64, 64), 128, np.uint8), Jpeg(50))
    assert contact_sheet.summary(flat)["psnr"] is None
