"""The report of a study of any name, out of a store, as one page."""

import base64
import re
from html.parser import HTMLParser

import pytest

from analysis.report.__main__ import main
from analysis.report.page import captions_of


class Links(HTMLParser):
    """Everything a page would load or lead to, and the text of its headings."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.loaded += [value for key, value in attrs if key in ("src", "href")]


@pytest.fixture(scope="module")
def page(store, tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp("report") / "report.html"
    assert main(["--experiment", "demo_sweep", "--store", store, "--out", str(out)]) == 0
    return out.read_text()


def test_the_page_needs_nothing_but_itself(page):
    links = Links(page)
    assert all(link.startswith(("data:image/", "#")) for link in links.loaded), links.loaded
    assert not links.tags & {"script", "link", "iframe"}
    assert "url(" not in page
    assert "prefers-color-scheme: dark" in page


def test_it_holds_findings_figures_points_configuration_and_origin(page):
    for heading in ("What it shows", "Figures", "Points", "Configuration", "Where it comes from"):
        assert f"<h2>{heading}</h2>" in page
    assert "learning-rate rule sqrt against linear: " in page
    assert "<figcaption>" in page
    drawn = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert len(drawn) > 3
    assert b"<svg" in base64.b64decode(drawn[0])
    assert page.count("<code>n=8 sqrt s1</code>") >= 1
    assert "python -m analysis.report --experiment demo_sweep" in page


def test_a_page_that_is_there_is_only_replaced_on_request(store, tmp_path, capsys):
    out = tmp_path / "report.html"
    out.write_text("mine")
    arguments = ["--experiment", "single", "--store", store, "--out", str(out)]
    assert main([*arguments, "--overwrite"]) == 2
    assert out.read_text() == "mine"
    assert "report.html" in capsys.readouterr().err


def test_of_several_studies_one_is_to_be_chosen(store, tmp_path, capsys):
    assert main(["--store", store, "--out", str(tmp_path / "report.html")]) == 2
    assert "--experiment demo_sweep, or another of" in capsys.readouterr().err


def test_the_first_paragraph_of_a_caption_is_shown():
    captions = captions_of(
        "# Figures of `x`\n\nPoints: 3.\n\n"
        "## one\n\n![one](one.png)\n\nWhat\nit is.\n\nDetails.\n\n"
        "## two\n\nNot drawn: no run.\n"
    )
    assert captions == {"one": "What it is.", "two": "Not drawn: no run."}
