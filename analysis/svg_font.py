"""The font of an SVG, embedded in it: a few kilobytes for the letters it uses. Pure but for fonts.

Matplotlib writes text as text and names the font, which another machine may not have.
"""

from __future__ import annotations

import base64
import html
import io
import re
from functools import cache

from fontTools import subset  # type: ignore[import-untyped]
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from matplotlib import font_manager

FAMILY = "DejaVu Sans"
_TEXT = re.compile(r"<(?:text|tspan)\b[^>]*>([^<]*)")
_OPENING = re.compile(r"<svg\b[^>]*>")


def with_font(svg: str) -> str:
    """An SVG with the letters of `FAMILY` that its text uses; unchanged without text."""
    letters = "".join(sorted(set(html.unescape("".join(_TEXT.findall(svg))))))
    letters = letters.replace("\n", "")
    opening = _OPENING.search(svg)
    if not letters.strip() or opening is None:
        return svg
    data = base64.b64encode(_font_of(letters)).decode("ascii")
    face = (
        f"\n <style>@font-face {{font-family: '{FAMILY}'; "
        f"src: url(data:font/ttf;base64,{data}) format('truetype');}}</style>"
    )
    return svg[: opening.end()] + face + svg[opening.end() :]


@cache
def _font_of(letters: str) -> bytes:
    """The font with these letters only, as TrueType."""
    path = font_manager.findfont(FAMILY, fallback_to_default=False)
    # Without the time of today: the same letters give the same bytes.
    with TTFont(path, recalcTimestamp=False) as font:
        options = subset.Options(layout_features=["kern"], name_IDs=[1, 2])
        options.drop_tables += ["FFTM"]  # time stamps of the font editor
        chosen = subset.Subsetter(options)
        chosen.populate(text=letters)
        chosen.subset(font)
        written = io.BytesIO()
        font.save(written)
    return written.getvalue()
