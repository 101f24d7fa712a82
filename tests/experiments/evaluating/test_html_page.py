"""The report's interaction in a browser, Debian's Chromium."""

import io

import numpy as np
import pytest
from PIL import Image

from experiments.evaluating.html_report import render
from experiments.evaluating.report_parts import Comparison, Plot, Report, Table

HEIGHT, WIDTH = 160, 240
# The value of a pixel tells its image and column: JPEG grows with the column, restored decreases.
ACROSS = np.tile(np.arange(WIDTH, dtype=np.uint8), (HEIGHT, 1))
IMAGES = {"JPEG": ACROSS, "restored": 255 - ACROSS, "clean": ACROSS + 2}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
NUMBERS = (9.0, 100.0, None, -1.5, float("inf"), -20)


def sample_report():
    columns = ("suite", "score", *(f"a long name {number}" for number in range(12)))
    rows = tuple((f"Q{20 - 5 * i}", score, *range(12)) for i, score in enumerate(NUMBERS))
    picture = io.BytesIO()
    Image.new("RGB", (1200, 300)).save(picture, "png")
    quality_map = np.linspace(5, 15, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    return Report(
        title="A report with " + "a_long_word_" * 8,
        facts={"command": "python " + "--option=value" * 20},
        warnings=("/a/path/without/any/spaces" * 5,),
        tables=(Table("Scores", columns, rows, note="A note."),),
        plots=(Plot("Plot", picture.getvalue(), "black"),),
        comparisons=(
            Comparison("across", "A note.", IMAGES, quality_map),
            Comparison(
                "in colour",
                "Another note.",
                {k: np.stack([v] * 3, -1) for k, v in IMAGES.items()},
                quality_map,
            ),
        ),
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(sample_report()), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def open_report(browser, address):
    """Opens the report in a new window; checks in the end that it had no errors or requests."""
    contexts, errors, requests = [], [], []

    def open_report(**options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(f"{error}"))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert errors == []
    assert {url for url in requests if not url.startswith("data:")} == {address}


@pytest.fixture
def page(open_report):
    return open_report()


def scroll_to(page, index=0):
    """Scrolls to a comparison and waits until its close-ups are drawn."""
    comparison = page.locator(".comparison").nth(index)
    comparison.scroll_into_view_if_needed()
    page.wait_for_function(
        "output => output.value", arg=comparison.locator(".position").element_handle()
    )
    return comparison


def brightness(comparison, *columns):
    """Brightness of columns on the screen, below the captions and the divider's handle."""
    with Image.open(io.BytesIO(comparison.locator(".stage").screenshot())) as picture:
        row = np.asarray(picture.convert("L"), int)[HEIGHT - 20]
    assert len(row) == WIDTH  # not scaled
    return [row[column] for column in columns]


def corner(canvas):
    """The top left pixel of a canvas."""
    return canvas.evaluate(
        """canvas => {
            const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
            copy.drawImage(canvas, 0, 0);
            return copy.getImageData(0, 0, 1, 1).data[0];
        }"""
    )


def corners(comparison):
    return [corner(canvas) for canvas in comparison.locator(".closeups canvas").all()[:3]]


@pytest.mark.parametrize("index", [0, 1], ids=["gray", "colour"])
def test_the_divider_follows_the_pointer(page, index):
    comparison = scroll_to(page, index)
    assert brightness(comparison, 60, 180) == [60, 255 - 180]
    comparison.locator(".stage").scroll_into_view_if_needed()
    box = comparison.locator(".stage").bounding_box()
    page.mouse.move(box["x"] + 120, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + 90)
    assert brightness(comparison, 20, 60) == [20, 255 - 60]
    page.mouse.move(box["x"] + 500, box["y"] + 90)  # beyond the image
    page.mouse.up()
    assert brightness(comparison, 60, 230) == [60, 230]
    page.mouse.move(box["x"] + 40, box["y"] + 90)  # released
    assert brightness(comparison, 60, 230) == [60, 230]


def test_the_divider_follows_the_keyboard(page):
    comparison = scroll_to(page)
    divider = comparison.get_by_role("slider")
    page.locator(".comparison .swap").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert divider.evaluate("divider => divider === document.activeElement")
    page.keyboard.press("Home")
    assert brightness(comparison, 10, 230) == [255 - 10, 255 - 230]
    page.keyboard.press("End")
    assert brightness(comparison, 10, 230) == [10, 230]
    page.keyboard.press("ArrowLeft")
    assert divider.get_attribute("aria-valuetext") == "99 % JPEG on the left, then restored"
    page.keyboard.press("PageDown")
    assert brightness(comparison, 200, 225) == [200, 255 - 225]


def test_other_images_can_be_chosen(page):
    comparison = scroll_to(page)
    left, right = (comparison.get_by_role("combobox", name=name) for name in ("Left", "Right"))
    difference = comparison.locator(".difference")
    right.select_option("clean")
    assert brightness(comparison, 60, 180) == [60, 180 + 2]
    assert corner(difference.locator("canvas")) == 128 - 8 * 2
    assert "JPEG − clean" in difference.inner_text()

    left.select_option("clean")  # the right image: the two are swapped
    assert (left.input_value(), right.input_value()) == ("clean", "JPEG")
    assert brightness(comparison, 60, 180) == [60 + 2, 180]
    assert corner(difference.locator("canvas")) == 128 + 8 * 2

    comparison.get_by_role("button", name="Swap").click()
    assert (left.input_value(), right.input_value()) == ("JPEG", "clean")
    assert brightness(comparison, 60, 180) == [60, 180 + 2]


def test_close_ups_show_the_same_area_of_all_images(page):
    comparison = scroll_to(page)
    closeups = comparison.locator(".closeups")
    side = closeups.locator("canvas").first.bounding_box()["width"]
    assert closeups.locator("figcaption").all_inner_texts() == [
        *IMAGES, "Difference ×8", "Assumed quality"
    ]  # fmt: skip
    left = WIDTH / 2 - side / 4 / 2  # 4×, centred
    assert corners(comparison) == [left, 255 - left, left + 2]

    closeups.focus()
    page.keyboard.press("ArrowRight")
    assert corners(comparison) == [left + 8, 255 - left - 8, left + 8 + 2]
    page.keyboard.press("Shift+ArrowLeft")
    assert corners(comparison)[0] == left + 8 - 64
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    assert corners(comparison)[0] == 0  # stops at the edge of the image

    overview = comparison.locator(".difference .overview")
    scale = overview.bounding_box()["width"] / WIDTH
    overview.click(position={"x": 100 * scale, "y": 20})
    assert corners(comparison)[0] == pytest.approx(100 - side / 8, abs=1)
    closeups.locator("canvas").nth(1).click(position={"x": side / 2 + 4 * 10, "y": side / 2})
    assert corners(comparison)[0] == pytest.approx(110 - side / 8, abs=1)


@pytest.mark.parametrize("zoom", [1, 2, 4, 8])
def test_close_ups_follow_the_zoom_factor(page, zoom):
    comparison = scroll_to(page)
    comparison.get_by_text(f"{zoom}×", exact=True).click()
    canvas = comparison.locator(".closeups canvas").first
    assert canvas.bounding_box()["width"] == zoom * canvas.evaluate("c => c.width")
    assert canvas.evaluate("c => getComputedStyle(c).imageRendering") == "pixelated"


def test_tables_sort_numbers_in_both_orders_with_dashes_last(page):
    header = page.get_by_role("columnheader", name="score")
    button = header.get_by_role("button")
    cells = page.locator("tbody td:nth-child(2)")
    before = cells.all_inner_texts()
    assert before == ["9.00", "100.00", "–", "-1.50", "∞", "-20"]
    button.focus()
    for key, order, expected in (
        ("Enter", "ascending", ["-20", "-1.50", "9.00", "100.00", "∞", "–"]),
        ("Space", "descending", ["∞", "100.00", "9.00", "-1.50", "-20", "–"]),
        ("Enter", "none", before),
    ):
        page.keyboard.press(key)
        assert header.get_attribute("aria-sort") == order
        assert cells.all_inner_texts() == expected


def test_tables_sort_text_by_the_numbers_in_it(page):
    page.get_by_role("columnheader", name="score").get_by_role("button").click()
    page.get_by_role("columnheader", name="suite").get_by_role("button").click()
    assert page.locator("tbody th").all_inner_texts()[-4:] == ["Q5", "Q10", "Q15", "Q20"]
    assert page.locator("[aria-sort=ascending]").all_inner_texts() == ["suite"]


def test_on_a_phone_tables_scroll_and_the_page_does_not(open_report):
    page = open_report(**PHONE)
    page.locator(".facts summary").tap()
    comparison = scroll_to(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    table = page.locator(".table .scroll")
    assert table.evaluate("t => t.scrollWidth > t.clientWidth")
    assert not page.get_by_role("link", name="Scores").is_visible()  # the contents are collapsed
    tops = [box.bounding_box()["y"] for box in comparison.locator(".closeups canvas").all()]
    assert tops[0] == tops[1] != tops[2]  # two per row

    comparison.locator(".stage").tap(position={"x": 60, "y": 100})
    assert float(comparison.get_by_role("slider").input_value()) == pytest.approx(25, abs=0.5)


def test_the_report_is_readable_without_javascript(open_report):
    page = open_report(java_script_enabled=False)
    assert page.locator("tbody tr").count() == len(NUMBERS)
    pictures = page.locator("main img")
    assert pictures.count() == 1 + 2 * (3 + 2)  # a plot; images, a map and its scale, twice
    assert all(picture.is_visible() for picture in pictures.all())
    assert page.locator("select").count() == 0


def test_in_print_images_are_side_by_side(page):
    comparison = scroll_to(page)
    page.emulate_media(media="print")
    assert all(image.is_visible() for image in comparison.locator(".stage img").all())
    assert not comparison.get_by_role("slider").is_visible()
    assert page.locator(".facts dd").is_visible()


def test_the_policy_blocks_external_resources(browser, address):
    page = browser.new_page()
    page.goto(address)
    blocked = page.evaluate(
        """() => new Promise((done) => {
            document.addEventListener("securitypolicyviolation", (event) => done(event.blockedURI));
            setTimeout(() => done("nothing"), 2000);
            document.body.append(Object.assign(new Image(), { src: "http://localhost/a.png" }));
        })"""
    )
    page.close()
    assert blocked == "http://localhost/a.png"
