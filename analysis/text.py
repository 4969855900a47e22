"""Numbers and tables in words: short numbers, and DataFrames as Markdown. Pure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd


def markdown_table(table: pd.DataFrame) -> str:
    """A table in Markdown, numbers to three digits; one line of text where there are no rows."""
    if table.empty:
        return "*No numbers yet.*"
    lines = ["| " + " | ".join(str(c).replace("_", " ") for c in table.columns) + " |"]
    numeric = [pd.api.types.is_numeric_dtype(t) and t.kind != "b" for t in table.dtypes]
    lines.append("|" + "|".join("---:" if right else "---" for right in numeric) + "|")
    lines += [
        "| " + " | ".join(cell(v) for v in row) + " |"
        for row in table.itertuples(index=False, name=None)
    ]
    return "\n".join(lines)


def capitalized(text: str) -> str:
    """The text with its first letter upper case and all others as they are."""
    return text[:1].upper() + text[1:]


def cell(value: Any) -> str:
    """One value: three significant digits, whole numbers whole, yes and no, `-` where missing."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, float):
        whole = math.isfinite(value) and (value == round(value) or abs(value) >= 1000)
        return f"{value:.0f}" if whole else f"{value:.3g}"
    return str(value).replace("|", "\\|")


def duration(hours: float) -> str:
    """45 s, 7.5 min, 4 h 30 min, 3 d 4 h: a time given in hours, as people say it."""
    if not math.isfinite(hours):
        return "unknown"
    seconds = hours * 3600
    if seconds < 59.5:
        return f"{seconds:.2g} s"
    if seconds < 3597:
        return f"{seconds / 60:.{1 if seconds < 600 else 0}f} min".replace(".0 ", " ")
    large, small, size = (" d", " h", 24) if hours >= 48 else (" h", " min", 60)
    whole, rest = divmod(round(hours if size == 24 else hours * 60), size)
    return f"{whole}{large} {rest}{small}" if rest else f"{whole}{large}"


def node_words(count: int) -> str:
    """1 node, 2 nodes."""
    return f"{count} node{'s' if count != 1 else ''}"


def time_unit(hours: float) -> tuple[str, float]:
    """The unit in which a column of such times reads best, and how many of it are an hour."""
    for unit, an_hour in (("s", 3600.0), ("min", 60.0), ("h", 1.0)):
        if hours * an_hour < 100:
            return unit, an_hour
    return "d", 1 / 24


def short_number(value: float) -> str:
    """0.5, 20, 5k, 2M; 1e-4 below a hundredth."""
    if value == 0:
        return "0"
    size = abs(value)
    if size < 0.01:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    for scale, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= scale:
            return f"{value / scale:.4g}{unit}"
    return f"{value:.4g}"
