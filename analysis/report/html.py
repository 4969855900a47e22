"""HTML of a page that needs nothing but itself. Pure."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pandas as pd

_CODE = re.compile(r"`([^`]+)`")
_STRONG = re.compile(r"\*\*([^*]+)\*\*")

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2329; --dim: #5a6570; --line: #d8dde2; --paper: #fff;
  --band: #f4f6f8; --link: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --dim: #9aa5b0; --line: #39424b;
  --paper: #14181c; --band: #1c2227; --link: #56b4e9; } }
body { margin: 0 auto; max-width: 1080px; padding: 24px; color: var(--ink);
  background: var(--paper); font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 4px; font-size: 26px; } h2 { margin: 36px 0 8px; font-size: 19px; }
p, li { max-width: 78ch; } .dim { color: var(--dim); } a { color: var(--link); }
nav a { margin-right: 16px; }
code, pre { font: 13px/1.45 ui-monospace, monospace; background: var(--band);
  border-radius: 4px; } code { padding: 1px 4px; } pre { padding: 8px 12px; overflow-x: auto; }
figure { margin: 20px 0; } figcaption { max-width: 90ch; margin-top: 6px; font-size: 13.5px;
  color: var(--dim); }
figure img { display: block; max-width: 100%; padding: 10px; box-sizing: border-box;
  background: #fff; border: 1px solid var(--line); border-radius: 6px; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 13.5px; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); text-align: left;
  white-space: nowrap; vertical-align: top; } th { color: var(--dim); font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.long { white-space: normal; min-width: 30ch; overflow-wrap: anywhere; }
"""

_LONG: Final = 48
_NUMBER = re.compile(r"^[+-]?[\d,.]+(e[+-]?\d+)?%?$|^-$")


def inline(text: str) -> str:
    """Text with its marks of code and emphasis as HTML; all else is escaped."""
    return _STRONG.sub(r"<strong>\1</strong>", _CODE.sub(r"<code>\1</code>", html.escape(text)))


def escaped(text: str) -> str:
    """Text as it is, for where marks mean nothing."""
    return html.escape(text)


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph."""
    return f"<p{_kind(kind)}>{inline(text)}</p>"


def listed(lines: Iterable[str]) -> str:
    """A list; empty without a line."""
    items = "".join(f"<li>{inline(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def table(rows: pd.DataFrame) -> str:
    """A table of text; columns of nothing but numbers are aligned to the right."""
    if rows.empty:
        return ""
    text = {column: [str(value) for value in rows[column]] for column in rows.columns}
    right = {column: all(map(_NUMBER.match, values)) for column, values in text.items()}
    head = "".join(
        f"<th{_kind('number' if right[c] else '')}>{html.escape(str(c))}</th>" for c in text
    )
    body = "".join(
        "<tr>" + "".join(_cell(text[c][i], right[c]) for c in text) + "</tr>"
        for i in range(len(rows))
    )
    rows_of = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table>{rows_of}</table></div>'


def facts(values: Mapping[str, Any]) -> str:
    """A table of names and values."""
    return table(pd.DataFrame([{"": key, " ": str(value)} for key, value in values.items()]))


def figure(name: str, picture: bytes, media_type: str, caption: str) -> str:
    """A picture that is part of the page, with its caption."""
    data = base64.b64encode(picture).decode()
    return (
        f'<figure id="{html.escape(name)}"><img alt="{html.escape(name.replace("_", " "))}" '
        f'src="data:{media_type};base64,{data}"><figcaption>{inline(caption)}</figcaption></figure>'
    )


def section(name: str, *parts: str) -> str:
    """A section with a heading that can be linked to; empty without content."""
    content = "\n".join(filter(None, parts))
    anchor = anchor_of(name)
    return (
        f'<section id="{anchor}"><h2>{inline(name)}</h2>\n{content}\n</section>' if content else ""
    )


def anchor_of(name: str) -> str:
    """What a section is linked to by."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def document(title: str, *parts: str) -> str:
    """A whole page, light or dark as the reader's system is, that loads nothing from elsewhere."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(filter(None, parts))
        + "\n</body>\n</html>\n"
    )


def _cell(text: str, right: bool) -> str:
    kind = "number" if right else "long" if len(text) > _LONG else ""
    return f"<td{_kind(kind)}>{inline(text)}</td>"


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
