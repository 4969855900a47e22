"""The results page in Markdown, from a findings. Pure: pictures are returned, not written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from analysis.claims.judge import plan_table
from analysis.recorded.provenance import FORMER_TENSORFLOW, one_fact
from analysis.reference.published import ARXIV
from analysis.results.findings import Findings, seeds_of
from analysis.results.quoted import counted
from analysis.results.sections import SECTIONS, Section
from analysis.results.shown import Picture
from analysis.results.tables import segmentation_rows
from analysis.text import capitalized, markdown_table
from analysis.verdicts.asked_again import SUFFIX
from analysis.verdicts.scored_runs import SCORE
from analysis.verdicts.seed_intervals import METHOD
from analysis.verdicts.verdict import MODELED, Verdict
from analysis.verdicts.words import (
    decided,
    effect_text,
    headline,
    leaning,
    newest,
    opening,
)

COMMAND: Final = "nox -s figures"
NOTEBOOKS: Final = "analysis/notebooks"
ASKED_AGAIN: Final = "\u2013 asked again on fresh seeds"


@dataclass(frozen=True)
class Given:
    """What the page does not compute.

    Attributes:
        published: recorded segmentations by the published network, the whole volume first.
        gallery: folder of pictures that are not drawn here, as the page links to them.
        plan: what came out otherwise than planned.
        first_edition: of the study: what it was, and why it was replaced.
    """

    published: Mapping[str, Any]
    gallery: str
    plan: str
    first_edition: str


def page(findings: Findings, figures: str, given: Given) -> tuple[str, dict[str, bytes]]:
    """The page, and the pictures it draws by file name.

    Args:
        findings: the studies.
        figures: folder of the pictures as the page links to them.
        given: what stands on it besides.
    """
    pictures: dict[str, bytes] = {}
    parts = [_head(), _opening(findings), _verdicts(findings.verdicts)]
    parts += ["## The plan, and what came out otherwise", given.plan, _ran(findings)]
    parts += [_section(findings, section, figures, pictures) for section in SECTIONS]
    parts.append(_precision(findings))
    parts.append(_published_network(given.published, given.gallery))
    parts += ["## The first edition", given.first_edition]
    return "\n\n".join(parts) + "\n", pictures


def _head() -> str:
    return (
        "# Results\n\n"
        f"<!-- Written by `{COMMAND}` from analysis/recorded; edits are lost. -->\n\n"
        f"What the recorded runs say about the claims of {ARXIV}. `{COMMAND}` writes this page, "
        "its figures and `analysis/recorded/verdicts.csv` again; "
        f"[{NOTEBOOKS}]({NOTEBOOKS}) holds the same as notebooks that also read your own store."
    )


def _opening(findings: Findings) -> str:
    """What came out of the questions that a reader comes with, and what else is decided."""
    verdicts = findings.verdicts
    first = opening(verdicts)
    parts = ["## Findings", "In parentheses: 95 % intervals.", _headlines(verdicts, first)]
    if others := [key for key in decided(verdicts) if key not in first]:
        parts += ["Also decided:", _headlines(verdicts, others)]
    return "\n\n".join([*parts, *leanings(verdicts)])


def _headlines(verdicts: Mapping[str, Verdict], keys: Iterable[str]) -> str:
    return "\n".join(f"- {headline(verdicts[key])}" for key in keys)


def leanings(verdicts: Mapping[str, Verdict]) -> list[str]:
    """Claims that only the correction for their number leaves undecided, with their effects.

    Not those that were asked again.
    """
    lines = [
        f"- {capitalized(leaning(one))} by itself, {effect_text(one)}: {one.claim}."
        for key, one in verdicts.items()
        if leaning(one) and newest(verdicts, key) == key
    ]
    said = (
        "Some claims would be decided if each had been the only one asked. With so many, chance"
        " alone would let one pass now and then, so they count as undecided:"
    )
    return [said, "\n".join(lines)] if lines else []


def _ran(findings: Findings) -> str:
    """What was run where; what is emulated and what is modeled."""
    known = findings.provenance()
    rows = [_study_row(name, findings, known.get(name, {})) for name in sorted(findings.studies)]
    machines = sorted({_machine(facts) for facts in known.values() if facts})
    return "\n\n".join(
        [
            "## What was run",
            markdown_table(pd.DataFrame(rows)),
            *findings.notes(*sorted(findings.studies)),
            f"Machine: {'; '.join(machines) or 'not recorded'}.",
            "Each node count above the number of processes is **emulated**: a few processes carry "
            "all logical nodes and take exactly the steps that so many real nodes would. That "
            "answers what happens to learning, and nothing about time. Throughput and efficiency "
            "are measured on real processes only. What is **modeled** says so: times on many "
            "nodes are FOVs of this study over the published throughput, and efficiencies beyond "
            "1024 nodes come from models fitted to it. Points missing or failed are not replaced "
            "by anything.",
        ]
    )


def _study_row(name: str, findings: Findings, facts: Mapping[str, Any]) -> dict[str, object]:
    table = findings.studies[name].table
    points = facts.get("points", {})
    nodes = sorted({int(n) for n in table["nodes"].dropna()})
    produced = facts.get("produced by", {})
    return {
        "study": f"`{name}`",
        "finished": int((table["status"] == "FINISHED").sum()),
        "failed": int((table["status"] == "FAILED").sum()),
        "missing": points.get("missing"),
        "planned": points.get("planned"),
        "network": _same(table, "model_name"),
        "budget": _same(table, "budget"),
        "emulated": int(table["emulated"].astype(bool).sum()),
        "nodes": ", ".join(str(n) for n in nodes),
        "seeds": seeds_of(table),
        "commit": ", ".join(c[:8] for c in produced.get("git.commit", [])) or "unknown",
        "recorded": facts.get("recorded", {}).get("last", "unknown"),
    }


def _same(table: pd.DataFrame, column: str) -> str:
    """Every value of a column, joined; `-` where it was not recorded."""
    return ", ".join(str(v) for v in table[column].dropna().unique()) if column in table else "-"


def _machine(facts: Mapping[str, Any]) -> str:
    return (
        f"{one_fact(facts, 'device.name', 'host.cpu')}, {one_fact(facts, 'host.cores')} cores, "
        f"{one_fact(facts, 'host.memory_gib')} GiB; Python {one_fact(facts, 'version.python')}, "
        f"TensorFlow {one_fact(facts, 'version.tensorflow', FORMER_TENSORFLOW)}, "
        f"Horovod {one_fact(facts, 'version.horovod')}"
    )


def _verdicts(known: Mapping[str, Verdict]) -> str:
    # A claim that was asked again stands below its first verdict.
    first = (key for key in known if not key.endswith(SUFFIX))
    keys = [key for one in first for key in (one, one + SUFFIX) if key in known]
    verdicts = [known[key] for key in keys]
    rows = [
        {
            "claim": ASKED_AGAIN if one.key.endswith(SUFFIX) else one.claim,
            "verdict": f"**{one.verdict}**",
            "effect (95 % interval)": effect_text(one) + _modeled(one),
            "adjusted p": one.adjusted,
            "what it would take": one.needs or "-",
        }
        for one in verdicts
    ]
    return "\n\n".join(
        [
            "## Verdicts",
            f"{len(verdicts)} claims: {counted(verdicts)}.",
            markdown_table(pd.DataFrame(rows)),
            f"What each effect measures stands with its figure below. The score of a run is its "
            f"{SCORE}. {METHOD} Undecided is what the runs cannot tell; not reached, what they "
            "ended before; not testable here, what takes another machine.",
            "<details><summary>The plan, written before the runs in `analysis/verdicts/plan.py`, "
            f"from which the judge reads</summary>\n\n{markdown_table(plan_table())}\n\n</details>",
        ]
    )


def _section(findings: Findings, section: Section, figures: str, pictures: dict[str, bytes]) -> str:
    notebook = f"{NOTEBOOKS}/{section.key}.ipynb"
    parts = [f"## {section.title}", f"{section.question} ([notebook]({notebook}))"]
    for name, study in section.figures:
        shown = findings.figure(name, study)
        if isinstance(shown, Picture):
            file = f"{name}.png" if study is None else f"{study}_{name}.png"
            pictures[file] = shown.png
            parts.append(f"![{name.replace('_', ' ')}]({figures}/{file})")
        parts.append(shown.caption.markdown)
        if isinstance(shown, Picture) and shown.details.markdown:
            parts.append(_collapsed("Runs and definitions", shown.details.markdown))
    if section.real:
        parts.append(findings.scaling(*section.studies).markdown)
    if section.laws:
        parts.append(findings.laws(section.laws).markdown)
    if section.claims:
        parts.append(findings.findings(*section.claims).markdown)
    for key in section.claims:
        evidence = findings.verdicts[key].evidence
        if not evidence.empty:
            parts.append(_folded(findings.verdicts[key]))
    return "\n\n".join(parts)


def _precision(findings: Findings) -> str:
    return "\n\n".join(
        [
            "## Precision",
            "Does training in bfloat16 cost quality? Pairs of runs of the preset `bfloat16` that"
            " differ in nothing else, on a CPU that has it. Intervals are over seeds. This was not"
            " part of the plan.",
            findings.precision("bfloat16").markdown,
        ]
    )


def _published_network(known: Mapping[str, Any], gallery: str) -> str:
    """How the published network segments real data: the whole volume, and a corner of it."""
    whole = known["segmentations"][0]
    return "\n\n".join(
        [
            "## The published network on FIB-25",
            "How well does google/ffn's published network segment the whole of FIB-25"
            " training_sample2 with this code, and does bfloat16 change it?",
            f"![fib25 section]({gallery}/fib25_section.png)",
            "*Section through the middle of the volume: image, ground truth, and the segmentation"
            " in bfloat16. FIB-25: Takemura et al. 2015, CC BY 3.0.*",
            markdown_table(segmentation_rows(known["segmentations"])),
            f"The whole took {whole['wall_s']} s on one {known['about']['host.gpus']}, by"
            f" {whole['processes']} processes with a subvolume each, at"
            f" {whole['fovs_per_second']:.0f} FOVs/s. ARE is the adapted Rand error. VOI, the"
            " variation of information, is split + merge. Foreground that is in no segment counts"
            " as one segment in the last two columns, and is left out of the two before. The record"
            " also names the libraries: `analysis/recorded/proofs/fib25_segmentation.json`.",
        ]
    )


def _modeled(verdict: Verdict) -> str:
    known = verdict.effect.estimate is not None and verdict.kind.startswith(MODELED)
    return f", {MODELED}" if known else ""


def _folded(verdict: Verdict) -> str:
    runs = f"{capitalized(verdict.basis)}."
    numbers = f"{capitalized(verdict.rule)}.\n\n{markdown_table(verdict.evidence)}\n\n{runs}"
    return _collapsed(f"Numbers: {verdict.claim}", numbers)


def _collapsed(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
