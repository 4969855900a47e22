"""What a notebook and the page show: text, pictures with captions, or why there is none."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from analysis.figures.style import Drawing

DPI: Final = 130
_COLORS: Final = 256


def png(figure: Figure, dpi: int = DPI) -> bytes:
    """The figure as a PNG with a palette: a third of the size, and no difference to be seen.

    The same figure gives the same bytes.
    """
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.frombuffer(
        "RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1
    )
    palette = image.convert("RGB").quantize(_COLORS, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    palette.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


_IDS = re.compile(r"\): (`[^`]+`(, )?)+( and \d+ more \(in `summary.csv`\))?\.")


@dataclass(frozen=True)
class Text:
    """Markdown, shown as such in a notebook."""

    markdown: str

    def __repr__(self) -> str:
        return self.markdown

    def _repr_markdown_(self) -> str:
        return self.markdown


@dataclass(frozen=True)
class Picture:
    """A figure as PNG, shown as such in a notebook; its details are a list in Markdown."""

    png: bytes = field(repr=False)
    caption: Text = field(repr=False)
    details: Text = field(repr=False)

    def _repr_png_(self) -> bytes:
        return self.png


@dataclass(frozen=True)
class Missing:
    """In the place of a figure that the runs do not support."""

    caption: Text

    def _repr_markdown_(self) -> str:
        return ""


def picture_of(drawing: Drawing) -> Picture:
    """A drawing as it is shown; draw it and call this in one style context."""
    details = "\n".join(f"- {without_ids(detail)}" for detail in drawing.details)
    return Picture(png(drawing.figure), Text(f"*{drawing.caption}*"), Text(details))


def without_ids(caption: str) -> str:
    """A sentence without the list of its runs' ids, which the recorded tables hold."""
    return _IDS.sub(").", caption)
