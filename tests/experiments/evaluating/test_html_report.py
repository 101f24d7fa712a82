"""The HTML document as text; test_html_page.py tests it in a browser."""

import base64
import hashlib
import html.parser
import io
import re

import matplotlib
import numpy as np
import pytest
from PIL import Image

from experiments.evaluating import html_images
from experiments.evaluating.html_report import render
from experiments.evaluating.report_parts import Comparison, Gain, Plot, Report, Table

GRAY = np.arange(48, dtype=np.uint8).reshape(6, 8)
QUALITY_MAP = np.full((6, 8), 10.0)
COLOR = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
HOSTILE = """</script><script>alert(1)</script><img src=x onerror="alert(2)">' & more"""
HARMLESS = "as many words as that"  # each word of a header is an element


class Elements(html.parser.HTMLParser):
    """All elements as (tag, attributes), and all text outside style and script."""

    def __init__(self, document):
        super().__init__()
        self.found, self.text, self.static = [], "", False
        self.feed(document)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.static = tag in ("style", "script")

    def handle_endtag(self, tag):
        self.static = False

    def handle_data(self, data):
        self.text += "" if self.static else f"{data} "

    def all(self, wanted):
        return [attributes for tag, attributes in self.found if tag == wanted]


def decode(uri):
    prefix, data = uri.split(",")
    assert prefix == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def png():
    buffer = io.BytesIO()
    Image.fromarray(COLOR).save(buffer, "png")
    return buffer.getvalue()


def report_of(text):
    """A report with `text` in every text field."""
    return Report(
        title=text,
        facts={text: text},
        warnings=(text,),
        tables=(Table(text, (text, "PSNR"), ((text, 31.256),), note=text),),
        plots=(Plot(text, png(), alt=text),),
        comparisons=(Comparison(text, text, {text: GRAY, "clean": GRAY}, QUALITY_MAP),),
    )


def test_the_document_has_all_text_with_warnings_first():
    report = Report(
        title="the title",
        facts={"a fact": "its value"},
        warnings=("first warning", "second warning"),
        tables=(Table("a table", ("a column",), (("a cell",),), note="note of the table"),),
        plots=(Plot("a plot", png(), alt="in words"),),
        comparisons=(Comparison("a picture", "note of the picture", {"JPEG": GRAY}, QUALITY_MAP),),
    )
    main = " ".join(Elements(render(report).partition("<main")[2]).text.split())
    positions = [
        main.index(text)
        for text in (
            *("Warnings", "first warning", "second warning", "a fact", "its value"),
            *("Tables", "a table", "a column", "a cell", "note of the table"),
            *("Plots", "a plot", "Images", "a picture", "note of the picture", "JPEG"),
        )
    ]
    assert positions == sorted(positions)


def test_the_document_has_all_images():
    elements = Elements(render(report_of("some name")))
    assert len(elements.all("table")) == 1
    assert [e["class"] for e in elements.all("article")] == ["table", "comparison"]
    # A plot, two images, the map and its scale.
    assert len(elements.all("img")) == 5
    assert all(e["alt"] for e in elements.all("img"))


def test_links_of_the_contents_have_targets():
    elements = Elements(render(report_of("some name")))
    identities = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    links = [e["href"] for e in elements.all("a")]
    assert len(identities) == len(set(identities))
    assert {"#table-1", "#plot-1", "#comparison-1"} < set(links)
    assert all(link.removeprefix("#") in identities for link in links)


def test_an_empty_report_has_no_empty_sections():
    elements = Elements(render(Report("Nothing", {})))
    assert elements.all("h1") == [{}]
    assert not elements.all("h2")
    assert not elements.all("dl")


def test_text_is_escaped():
    hostile, harmless = (Elements(render(report_of(text))) for text in (HOSTILE, HARMLESS))
    assert [tag for tag, _ in hostile.found] == [tag for tag, _ in harmless.found]
    assert " ".join(hostile.text.split()).replace(HOSTILE, HARMLESS) == " ".join(
        harmless.text.split()
    )


def test_the_document_has_no_external_resources():
    document = render(report_of("some name"))
    elements = Elements(document)
    for tag, attributes in elements.found:
        assert not any(name.startswith("on") or name == "style" for name in attributes), tag
        for name in ("src", "href", "srcset", "data", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:")), tag
    assert "http:" not in document
    assert "https:" not in document
    assert "url(" not in document
    assert "@import" not in document


def test_the_policy_has_the_hashes_of_styles_and_scripts():
    document = render(report_of("some name"))
    policy = Elements(document).all("meta")[1]["content"]
    inline = re.findall(r"<(style|script)[^>]*>(.*?)</\1>", document, re.DOTALL)
    assert [tag for tag, _ in inline] == ["style", "script", "script"]
    for tag, text in inline:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert re.search(rf"{tag}-src [^;]*'sha256-{re.escape(digest)}'", policy)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_numbers_are_rounded_for_display_but_not_for_sorting():
    row = ("Set", 10, 31.256, np.float32(0.5), -1.25, None, float("inf"), float("nan"), Gain(0.126))
    document = render(Report("", {}, tables=(Table("", ("c",) * len(row), (row,), decimals=1),)))
    cells = re.search("<tbody>(.*)</tbody>", document, re.DOTALL)[1]
    assert Elements(cells).text.split() == [
        "Set",
        "10",
        "31.3",
        "0.5",
        "-1.2",
        "–",
        "∞",
        "nan",
        "+0.13",
    ]
    values = [attributes.get("data-value") for attributes in Elements(cells).all("td")]
    assert values == ["10.0", "31.256", "0.5", "-1.25", None, "Infinity", None, "0.126"]


@pytest.mark.parametrize("image", [GRAY, COLOR], ids=["gray", "colour"])
def test_images_are_embedded_losslessly(image):
    comparison = Comparison("some name", "", {"JPEG": image, "clean": image[::-1]}, QUALITY_MAP)
    images = Elements(render(Report("", {}, comparisons=(comparison,)))).all("img")
    first, second = images[:2]
    np.testing.assert_array_equal(np.asarray(decode(first["src"])), image)
    np.testing.assert_array_equal(np.asarray(decode(second["src"])), image[::-1])
    assert (first["width"], first["height"]) == ("8", "6")


@pytest.mark.parametrize(
    ("lowest", "highest", "scale"),
    [(10.2, 10.4, (5, 20)), (10, 10, (5, 15)), (1, 3, (0, 10)), (98, 100, (90, 100)),
     (1, 100, (0, 100)), (12, 31, (10, 35))],
)  # fmt: skip
def test_the_colour_scale_covers_the_range_of_the_map(lowest, highest, scale):
    colored = html_images.quality_map_image(np.array([[lowest, highest]], np.float32))
    assert (colored.low, colored.high) == scale


def test_the_map_is_coloured_by_viridis_over_its_scale():
    quality_map = np.linspace(20, 60, 400, dtype=np.float32).reshape(20, 20)
    colored = html_images.quality_map_image(quality_map)
    expected = matplotlib.colormaps["viridis"]((quality_map - 20) / 40, bytes=True)[..., :3]
    # A value between two of the 256 colours may get either; they differ by at most 3 levels.
    np.testing.assert_allclose(decode(colored.uri).convert("RGB"), expected, atol=3)
    scale = np.asarray(decode(colored.scale_uri).convert("RGB"))[0]
    expected = matplotlib.colormaps["viridis"](np.arange(256), bytes=True)[:, :3]
    np.testing.assert_array_equal(scale, expected)
