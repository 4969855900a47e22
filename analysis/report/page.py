"""The report of a study: what it shows, its figures, points, configuration and origin. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from analysis.recorded.provenance import describe
from analysis.report import html
from analysis.report.effects import (
    effects,
    falls,
    judged_points,
    score_name,
    varied_options,
)
from analysis.report.statements import (
    METHOD,
    effect_words,
    effects_table,
    headline,
    option_words,
    scaling_words,
    value_words,
)
from analysis.runs.runs import Runs
from analysis.runs.summary import summarize
from analysis.text import short_number

_MOST_POINTS: Final = 300
"""Rows of the table of points; `summary.csv` beside the figures has all."""

_UNSET: Final = ("none", "None", "[]", "{}", "nan", "")
_SECTION = re.compile(r"^## (\S+)\n\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)\s*")
_NOT_DRAWN: Final = "Not drawn: "


@dataclass(frozen=True)
class Picture:
    """A figure of the study as it is kept beside its captions."""

    name: str
    content: bytes
    media_type: str
    caption: str


def captions_of(markdown: str) -> dict[str, str]:
    """Caption of each figure of a captions file, by the figure's name; its first paragraph."""
    found = {}
    for name, text in _SECTION.findall(markdown):
        paragraphs = [" ".join(p.split()) for p in _IMAGE.sub("", text).split("\n\n") if p.strip()]
        found[name] = paragraphs[0] if paragraphs else ""
    return found


def report(
    experiment: str,
    runs: Runs,
    question: str,
    pictures: Sequence[Picture],
    captions: Mapping[str, str],
    command: str,
) -> str:
    """The page as HTML.

    Args:
        experiment: name of the study.
        runs: its points, however they ended.
        question: what it is to answer, in Markdown without marks but code; may be empty.
        pictures: its figures in their order.
        captions: of those drawn and not drawn, as of `captions_of`.
        command: the command line that writes the page.
    """
    known = describe(runs, runs.table["status"], None)
    sections = {
        "What it shows": _findings(runs),
        "Figures": _figures(pictures, captions),
        "Points": _points(runs),
        "Configuration": _configuration(known),
        "Where it comes from": _origin(runs, known, command),
    }
    filled = {name: content for name, content in sections.items() if content}
    links = "".join(f'<a href="#{html.anchor_of(name)}">{name}</a>' for name in filled)
    return html.document(
        f"{experiment}: report",
        f"<h1>{html.inline(experiment)}</h1>",
        html.paragraph(_counts(runs, known), "dim"),
        "".join(html.paragraph(part) for part in question.split("\n\n") if part),
        f"<nav>{links}</nav>",
        *(html.section(name, content) for name, content in filled.items()),
    )


def _counts(runs: Runs, known: Mapping[str, Any]) -> str:
    total, emulated = len(runs.table), known["emulated points"]
    where = {0: "on real nodes", total: "on emulated nodes"}.get(
        emulated, f"{emulated} of them on emulated nodes"
    )
    dates = sorted(set(known["recorded"].values()))
    counts = runs.table["status"].value_counts()
    said = ", ".join(f"{n} {str(status).lower()}" for status, n in counts.items())
    return f"{total} point{'s' if total != 1 else ''} ({said}), {where}; {' to '.join(dates)}."


def _findings(runs: Runs) -> str:
    points, score = judged_points(runs), score_name(runs)
    found = effects(points)
    said = [*headline(points, score), *scaling_words(runs)]
    parts = [html.listed(said)]
    if found:
        parts += [
            html.paragraph(f"**What the options did to the score** (`{score}`, final)"),
            html.listed([effect_words(one) for one in found]),
            html.table(effects_table(found)),
            html.paragraph(METHOD, "dim"),
        ]
    elif len(points) > 1:
        parts.append(html.paragraph("Nothing but the seed varied over the points that ended."))
    return "\n".join(parts)


def _figures(pictures: Sequence[Picture], captions: Mapping[str, str]) -> str:
    drawn = [html.figure(p.name, p.content, p.media_type, p.caption) for p in pictures]
    missing = [
        f"`{name}`: {text.removeprefix(_NOT_DRAWN)}"
        for name, text in captions.items()
        if text.startswith(_NOT_DRAWN)
    ]
    if missing:
        listed = html.listed(missing)
        drawn.append(f'<details><summary class="dim">Not drawn</summary>{listed}</details>')
    return "\n".join(drawn)


def _points(runs: Runs) -> str:
    """Every point with what varied and what came out, best first; those without a score last."""
    judged = judged_points(runs).set_index("run_id")
    summary = summarize(runs)
    summary["score"] = summary["run_id"].map(judged["score"])
    summary["best"] = summary["run_id"].map(judged["best"])
    ordered = summary.sort_values("score", ascending=falls(score_name(runs)), na_position="last")
    shown = ordered.head(_MOST_POINTS)
    options = [c for c in varied_options(runs.table) if c in shown]
    columns: dict[str, list[str]] = {"point": [f"`{name}`" for name in shown["name"]]}
    for option in options:
        columns[option_words(option)] = [value_words(option, v) for v in shown[option]]
    if "seed" in shown:
        columns["seed"] = [_number(v, ".0f") for v in shown["seed"]]
    columns["nodes are"] = ["emulated" if v else "real" for v in shown["emulated"]]
    columns["final"] = [_number(v, ".3f") for v in shown["score"]]
    columns["best"] = [_number(v, ".3f") for v in shown["best"]]
    columns["FOVs/s"] = [_number(v, ",.3g") for v in shown["fovs_per_second"]]
    columns["FOVs"] = ["-" if _missing(v) else short_number(v) for v in shown["fovs"]]
    columns["outcome"] = [_outcome(row) for _, row in shown.iterrows()]
    columns["run"] = [f"`{run_id[:8]}`" for run_id in shown["run_id"]]
    table = html.table(pd.DataFrame(columns))
    left = len(ordered) - len(shown)
    return table + (html.paragraph(f"{left} more in `summary.csv`.", "dim") if left else "")


def _outcome(row: pd.Series) -> str:
    outcome = row.get("outcome")
    return str(row["status"]).lower() if _missing(outcome) else str(outcome)


def _configuration(known: Mapping[str, Any]) -> str:
    varied = {key: ", ".join(map(_plain, values)) for key, values in known["varied"].items()}
    same = {k: v for k, v in known["same for all"].items() if str(v) not in _UNSET}
    return "\n".join(
        [
            html.paragraph("**Varied over the points**"),
            html.facts(varied) or html.paragraph("Nothing."),
            "<details><summary><strong>The same for all</strong></summary>"
            f"{html.facts(same)}</details>",
        ]
    )


def _origin(runs: Runs, known: Mapping[str, Any], command: str) -> str:
    facts = {name: ", ".join(values) for name, values in known["produced by"].items()}
    folders = sorted(set(runs.table["run_dir"].dropna().map(lambda path: path.rpartition("/")[0])))
    facts |= {"run directories": ", ".join(folders)} if folders else {}
    unknown = "No run directory can be read from here: versions, commit and machine are not known."
    return "\n".join(
        [
            "" if known["produced by"] else html.paragraph(unknown),
            html.facts(facts),
            html.paragraph("Written from the recorded runs by"),
            f"<pre>{html.escaped(command)}</pre>",
        ]
    )


def _plain(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(value: Any, form: str) -> str:
    return "-" if _missing(value) else format(value, form)
