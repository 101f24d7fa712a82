"""The browser demo in Debian's Chromium: it matches `Restorer` and contacts no other host.

It is built as by `make web`: npm installs ONNX Runtime Web (once, 140 MB).
"""

import base64
import io
import itertools
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from agarnet_jax.restoration import Restorer
from agarnet_jax.restoration.traces import flat_areas, last_compression, requantization

pytestmark = pytest.mark.slow

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
ORIENTATION = 0x0112
TIMEOUT = 300_000  # milliseconds; the machine may be busy
# Drops or pastes a file.
TRANSFER = """({name, base64, how}) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name));
    document.body.dispatchEvent(
        how === "drop"
            ? new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data })
            : new ClipboardEvent("paste", { bubbles: true, clipboardData: data }),
    );
}"""
PIXELS = """(canvas) => {
    const { width, height } = canvas;
    const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, width, height);
    return new Promise((done) => {
        const reader = new FileReader();
        reader.onload = () => done([height, width, reader.result.split(",")[1]]);
        reader.readAsDataURL(new Blob([data]));
    });
}"""
SPANS = """async (lengths) => {
    const { ESTIMATING, RESTORING } = await import("./restoration.js");
    const plain = ({ start, first, last }) => [start, first, last];
    return [ESTIMATING, RESTORING].map((tiling) =>
        lengths.map((length) => tiling.spans(length).map(plain)));
}"""

DETECTED = """async ([planes, estimates]) => {
    const { detectQuality, refineEstimate } = await import("./last_compression.js");
    return planes.map(([height, width, levels]) => {
        const plane = { height, width, data: Float32Array.from(levels, (level) => level / 255) };
        const detected = detectQuality(plane);
        return [detected, ...estimates.map((estimate) => refineEstimate(estimate, detected))];
    });
}"""

MEANS = """async (pairs) => {
    const { meanQuality } = await import("./flat_areas.js");
    return pairs.map(([[height, width, levels], [rows, columns, cells]]) => {
        const plane = { height, width, data: Float32Array.from(levels, (level) => level / 255) };
        return meanQuality({ rows, columns, data: Float32Array.from(cells) }, plane);
    });
}"""


@pytest.fixture(scope="module")
def address(repository, find_program):
    """The address of the page, served by serve.py."""
    find_program("npm")
    # Builds with the Python that runs the tests, without reinstalling its packages.
    venv = pathlib.Path(sys.prefix)
    command = ["make", f"--old-file={venv}/dev.stamp", f"VENV={venv}", "web-build"]
    build = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert build.returncode == 0, build.stderr
    serve = [sys.executable, repository / "docs" / "demo" / "serve.py", "--port=0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().split(" at ")[1].split()[0]
        finally:
            server.terminate()


@pytest.fixture
def open_page(browser, address):
    """Opens the page in a new window; finally, checks for errors and requests to other hosts."""
    contexts, complaints, requests = [], [], []

    def open_page(**options):
        contexts.append(browser.new_context(**options))
        contexts[-1].on("request", lambda request: requests.append(request.url))
        page = contexts[-1].new_page()
        page.set_default_timeout(TIMEOUT)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(f"{error}"))
        with page.expect_request("**/restorer.onnx"):  # the worker's requests are seen too
            page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith((address, "blob:", "data:"))] == []


@pytest.fixture
def page(open_page):
    return open_page()


@pytest.fixture(scope="module")
def restorer():
    return Restorer.from_pretrained("tiny")


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A colour JPEG of two tiles for either network; its sides are not multiples of 8."""
    left, right = skimage.data.coffee()[100:251, :600], skimage.data.astronaut()[80:231, 100:303]
    path = tmp_path_factory.mktemp("pictures") / "wide.jpg"
    Image.fromarray(np.hstack([left, right])).save(path, quality=20)
    return path


@pytest.fixture(scope="module")
def gray(tmp_path_factory, gray_photo):
    path = tmp_path_factory.mktemp("pictures") / "gray.jpg"
    Image.fromarray(gray_photo[:101, :127]).save(path, quality=30)
    return path


def transfer(page, path, how):
    encoded = base64.b64encode(path.read_bytes()).decode()
    page.evaluate(TRANSFER, {"name": path.name, "base64": encoded, "how": how})


def result(page):
    """The restored canvas, (H, W, 4)."""
    page.locator("body:not([data-state=working])").wait_for()
    assert page.locator("#problem").inner_text() == ""
    return pixels(page, ".after")


def pixels(page, canvas):
    height, width, encoded = page.locator(canvas).evaluate(PIXELS)
    return np.frombuffer(base64.b64decode(encoded), np.uint8).reshape(height, width, 4)


def assert_close(actual, expected):
    """Differs by at most one level, and rarely: where float rounding meets a half.

    Luma meets one exactly in a thousandth of RGB colours. The decoder is the same library, and what
    changes in luma is added to R, G and B, so converting colours takes no further tolerance.
    """
    assert actual.shape == (*expected.shape[:2], 4)
    assert (actual[..., 3] == 255).all()
    if expected.ndim == 2:
        expected = expected[..., None]
    difference = np.abs(actual[..., :3].astype(int) - expected)
    assert difference.max() <= 1
    assert (difference != 0).mean() < 1e-3


def test_colour_image_matches_python(page, wide, restorer, tmp_path):
    page.locator("#file").set_input_files(wide)
    actual = result(page)
    with Image.open(wide) as picture:
        before = np.asarray(picture)
        expected = restorer.restore(picture, chroma=False)
    decoded = pixels(page, ".before")[..., :3]
    assert np.abs(decoded.astype(int) - before).max() == 0  # by the same library
    assert np.abs(actual[..., :3].astype(int) - before).max() > 5
    assert_close(actual, np.asarray(expected.image))
    quality = float(page.locator("#quality").inner_text())
    assert quality == pytest.approx(expected.quality_map[0, 0], abs=0.06)  # one decimal is shown
    assert page.locator("progress").evaluate("bar => [bar.value, bar.max]") == [2, 2]

    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "wide-restored.png"
    download.value.save_as(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as saved:
        np.testing.assert_array_equal(np.asarray(saved.convert("RGBA")), actual)

    check_the_divider(page)
    check_the_map(page)


def check_the_divider(page):
    stage, split = page.locator(".stage"), page.locator(".split")
    clip = "after => parseFloat(getComputedStyle(after).clipPath.split(' ').pop())"
    box = stage.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 30)
    page.mouse.up()
    assert float(split.input_value()) == pytest.approx(25, abs=0.5)
    assert page.locator(".after").evaluate(clip) == pytest.approx(25, abs=0.5)
    page.keyboard.press("Home")
    assert page.locator(".after").evaluate(clip) == 0
    page.keyboard.press("ArrowRight")
    assert float(split.input_value()) > 0


def check_the_map(page):
    quality_map = page.locator(".map")
    assert not quality_map.is_visible()
    page.get_by_role("switch", name="quality map").click()
    assert quality_map.is_visible()
    assert len(np.unique(pixels(page, ".map").reshape(-1, 4), axis=0)) > 10  # it varies
    page.get_by_role("switch", name="quality map").click()
    assert not quality_map.is_visible()


def test_gray_image_stays_gray_and_settings_are_applied(page, gray, restorer):
    transfer(page, gray, "drop")
    actual = result(page)
    with Image.open(gray) as picture:
        assert picture.mode == "L"
        assert_close(actual, np.asarray(restorer.restore(picture).image))
        assert (actual[..., :1] == actual[..., :3]).all()

        page.get_by_text("Settings").click()
        page.get_by_role("switch", name="estimated").click()
        page.locator("#given").fill("12")
        result(page)
        page.locator("#strength").fill("0.5")
        expected = restorer.restore(picture, quality=12, strength=0.5).image
        assert_close(result(page), np.asarray(expected))
        page.locator("#strength").fill("0")
        assert_close(result(page), np.asarray(picture))


def test_exif_orientation_is_applied(page, gray, restorer, tmp_path):
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    with Image.open(gray) as picture:
        picture.save(turned, quality=30, exif=exif)
    with Image.open(turned) as picture:
        expected = restorer.restore(picture).image
    expected.getexif()[ORIENTATION] = 6
    transfer(page, turned, "paste")
    assert_close(result(page), np.asarray(ImageOps.exif_transpose(expected)))


def test_display_p3_values_are_kept(page, restorer, astronaut, tmp_path):
    """The PNG is tagged with the profile; converting colours would change the values."""
    wide, profile = tmp_path / "wide.jpg", "Display P3".encode("utf-16-be")
    Image.fromarray(astronaut[:101, 200:327]).save(wide, quality=20, icc_profile=profile)
    page.locator("#file").set_input_files(wide)
    page.locator("body[data-state=done]").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "out.png")
    with Image.open(wide) as picture, Image.open(tmp_path / "out.png") as saved:
        expected = np.asarray(restorer.restore(picture, chroma=False).image)
        assert_close(np.asarray(saved.convert("RGBA")), expected)
        assert "Display P3".encode("utf-16-be") in saved.info["icc_profile"]


def test_another_image_replaces_one_being_restored(page, wide, gray):
    page.locator("#file").set_input_files(wide)
    page.locator("#result").wait_for()
    page.locator("#another").set_input_files(gray)
    assert result(page).shape == (101, 127, 4)


def test_invalid_file_is_refused_and_the_next_one_accepted(page, gray, tmp_path):
    text = tmp_path / "notes.jpg"
    text.write_text("not an image")
    page.locator("#file").set_input_files(text)
    problem = page.get_by_role("alert")
    problem.wait_for()
    assert problem.inner_text() == "notes.jpg is not an image that this browser can read."
    assert page.get_by_text("Drop a JPEG here").is_visible()
    page.locator("#file").set_input_files(gray)
    assert result(page).shape == (101, 127, 4)


@pytest.mark.parametrize("missing", ["restorer.onnx", "ort.wasm.min.mjs"])
def test_missing_build_is_reported(browser, address, missing):
    page = browser.new_page()
    page.route(f"**/{missing}", lambda route: route.fulfill(status=404))
    page.goto(address)
    problem = page.get_by_role("alert")
    problem.wait_for()
    assert problem.inner_text().endswith("is missing: build the page and serve it with “make web”.")
    page.close()


def test_phone_layout_scrolls_only_vertically(open_page, gray):
    page = open_page(**PHONE)
    page.locator("#file").set_input_files(gray)
    result(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator(".stage").tap(position={"x": 30, "y": 50})
    width = page.locator(".stage").bounding_box()["width"]
    assert float(page.locator(".split").input_value()) == pytest.approx(3000 / width, abs=0.5)


def test_tiles_match_python(page, restorer):
    """Compares many lengths, since the tests above restore only a few images."""
    lengths = [*range(1, 2200, 7), 512, 520, 768, 832, 960]
    engine = restorer._engine
    for actual, tiling in zip(
        page.evaluate(SPANS, lengths), (engine.estimator_tiling, engine.restorer_tiling)
    ):
        spans = [[[s.start, s.first, s.last] for s in tiling.spans(n)] for n in lengths]
        assert actual == spans


def test_detected_quality_matches_python(page, astronaut, encode):
    def decoded(image, quality=-1, **options):
        file = Image.open(io.BytesIO(encode(image, quality, **options)))
        return np.asarray(file.convert("L"))

    picture = np.asarray(Image.fromarray(astronaut[:253, :382]).convert("L"))
    planes = [picture, *(decoded(picture, quality) for quality in (10, 35, 80, 97, 100))]
    planes.append(np.tile(planes[2][:248, :376], (3, 4)))  # more than is sampled
    planes.append(np.zeros((5, 20), np.uint8))
    for base, largest in itertools.product((2, 7, 24), (1, 4)):  # no tables of IJG
        table = np.linspace(base, largest * base, 64).astype(int).tolist()
        planes.append(decoded(picture, qtables=[table]))
    drawn = np.random.default_rng(0).integers(0, 2, (32, 128)).repeat(3, 0).repeat(3, 1)
    drawn = np.concatenate([255 * drawn, 80 + 60 * drawn]).astype(np.uint8)  # the upper half clips
    planes.append(decoded(drawn, 80))
    text = page_of_text()
    pasted = text.copy()
    pasted[128:256, 128:256] = decoded(picture[64:192, 160:288], 50)
    colors = ImageEnhance.Color(Image.fromarray(astronaut[:160, :240])).enhance(4)
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    planes += [text, *(decoded(text, quality) for quality in (30, 75)), pasted]
    planes += [decoded(np.asarray(colors), 60), decoded(ramp, 50)]
    planes.append(decoded(picture[200:248, 20:52], 50))  # so small that 49 and 51 fit as well
    planes.append(np.rot90(decoded(picture[:248, :376], 92)))
    estimates = [10, 30, 32, 50, 51, 71, 79, 95]
    arguments = [[[*plane.shape, plane.ravel().tolist()] for plane in planes], estimates]
    expected = []
    for plane in (levels.astype(np.float32) / 255 for levels in planes):
        table = requantization.find_table(plane)
        detected = last_compression.detect_quality(plane, table=table)
        refined = [last_compression.refine_estimate(x, detected) for x in estimates]
        expected.append([detected, *refined])
    known = [99.5, 10, 35, 80, 97, 99.5, 35, None, 98, None, 94, None, None, None, 80]
    known += [None, 31, 75, 50, 60, None, 50, 92]
    assert [detected for detected, *_ in expected] == known
    assert page.evaluate(DETECTED, arguments) == expected


def page_of_text():
    """Black on white, (384, 384) uint8."""
    picture = Image.new("L", (384, 384), 255)
    for top in range(4, 378, 13):
        ImageDraw.Draw(picture).text((5, top), "Pack my box with five dozen jugs. " * 2, 0)
    return np.asarray(picture)


def test_weighting_of_flat_areas_matches_python(page, astronaut, encode):
    bordered = np.full((200, 259), 255, np.uint8)
    bordered[37:150, 70:] = astronaut[37:150, 70:259, 1]
    opened = np.asarray(Image.open(io.BytesIO(encode(bordered, 60))))
    pairs, expected = [], []
    for plane in (opened, bordered[:, :191], np.zeros((70, 65), np.uint8)):
        cells = np.random.default_rng(0).uniform(1, 100, [-(-side // 64) for side in plane.shape])
        pairs.append([[*x.shape, x.ravel().tolist()] for x in (plane, cells)])
        levels = plane.astype(np.float32) / 255
        fractions = flat_areas.detail_fractions(levels)
        expected.append(flat_areas.mean_quality(cells, fractions, plane.shape))
    assert page.evaluate(MEANS, pairs) == pytest.approx(expected, abs=1e-4)


def test_policy_blocks_requests_to_other_hosts(browser, address):
    page = browser.new_page()
    page.goto(address)
    blocked = page.evaluate(
        """() => new Promise((done) => {
            addEventListener("securitypolicyviolation", (event) => done(event.blockedURI));
            fetch("http://example.invalid/", { method: "POST", body: "x" }).catch(() => 0);
        })"""
    )
    page.close()
    assert blocked == "http://example.invalid/"


def test_server_names_a_port_in_use(repository, address):
    port = address.rstrip("/").rsplit(":", 1)[1]
    serve = [sys.executable, repository / "docs" / "demo" / "serve.py", f"--port={port}"]
    run = subprocess.run(serve, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.startswith(f"Port {port} cannot be used (Address already in use)")
    assert run.stderr.count("\n") == 1
