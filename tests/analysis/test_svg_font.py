import base64
import io
import re

from fontTools.ttLib import TTFont
from matplotlib import style
from matplotlib.figure import Figure

from analysis.figures.registry import save
from analysis.figures.style import styles
from analysis.svg_font import with_font
from ffn_core.files.outputs import Outputs


def embedded(svg: str) -> set[str]:
    """Letters of the font in an SVG."""
    (data,) = re.findall(r"base64,([^)]*)", svg)
    with TTFont(io.BytesIO(base64.b64decode(data))) as font:
        return {chr(code) for code in font.getBestCmap()}


def test_vector_files_hold_their_text_and_its_font(tmp_path):
    with style.context(styles()):
        figure = Figure(figsize=(2, 1))
        figure.subplots().set(title="\u0394AICc of 4 & 8", xticks=[], yticks=[])
        save(figure, tmp_path / "figure", Outputs("test"))
    svg = (tmp_path / "figure.svg").read_text()
    assert ">\u0394AICc of 4 &amp; 8</text>" in svg
    assert embedded(svg) == set("\u0394AICc of 4 & 8")
    assert len(svg) < 30_000, "a part of the font, not all of it"
    pdf = (tmp_path / "figure.pdf").read_bytes()
    assert b"/FontFile2" in pdf, "TrueType, embedded"
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_without_text_stays_as_it_is():
    svg = "<svg width='1'><path d='M 0 0'/></svg>"
    assert with_font(svg) == svg


def test_the_same_letters_give_the_same_bytes():
    svg = "<svg width='1'><text x='0'>ab<tspan>c</tspan></text></svg>"
    assert with_font(svg) == with_font(svg)
    assert embedded(with_font(svg)) == set("abc")
