"""Write the reference pages and the drawings: `python docs/generate.py`, before `mkdocs build`.

Everything is read from the code: options from the dataclasses and `conf/`, metrics from their
vocabulary, commands from their `--help`. Needs the environment of the project; the site itself is
built in one of its own.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import sys
from pathlib import Path

from option_tables import attribute_texts, cell, options_page

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
REFERENCE = HERE / "reference"
HELP_WIDTH = "96"

ARGPARSE = {
    "Prepare": ("experiments.data",),
    "Measure a machine": ("experiments.benchmarks", "experiments.soak"),
    "Runs": ("experiments.import_runs", "experiments.mlflow_pages"),
    "Segment": ("experiments.segment_worker", "experiments.export_neuroglancer"),
    "Take a network elsewhere": ("experiments.export",),
    "Analyze": (
        "analysis.figures",
        "analysis.report",
        "analysis.predict",
        "analysis.pictures",
        "analysis.tuned",
        "analysis.recorded",
        "analysis.results",
        "analysis.results.notebooks",
    ),
}
HYDRA = {
    "experiments.train": "config",
    "experiments.sweep_status": "config",
    "experiments.throughput": "throughput",
    "experiments.tune": "tune",
    "experiments.segment": "segment",
    "experiments.segment_checkpoints": "segment",
}
"""Commands whose arguments are options, and the file of `conf/` they start from."""


def commands_page() -> str:
    """Commands with their help."""
    parts = [
        "# Commands",
        "Commands run from the repository root, in the environment that the set-up made: "
        "`uv run --no-sync python -m ...`.",
        "## Commands that take options",
        "Their arguments are options, `name=value`: see [Options](options.md). `--cfg job` prints "
        "the configuration, `--help` the choices, and `-m` makes a sweep (train, sweep_status).",
    ]
    for command, file in HYDRA.items():
        text = docstring(command)
        parts.append(f"### `{command}`\n\n{text}\n\nStarts from `conf/{file}.yaml`.")
    parts.append("### `experiments.worker`\n\n" + docstring("experiments.worker"))
    for title, names in ARGPARSE.items():
        parts.append(f"## {title}")
        for name in names:
            text = help_of(name)
            parts.append(f"### `{name}`\n\n```text\n{text}\n```")
            for sub in subcommands(text):
                parts.append(f"#### `{name} {sub}`\n\n```text\n{help_of(name, sub)}\n```")
    parts += ["## Tasks", "`nox -l` lists them; `uvx nox -s NAME` runs one.", tasks()]
    return "\n\n".join(parts)


def docstring(module: str) -> str:
    """What a command's module says of itself."""
    path = REPOSITORY / (module.replace(".", "/") + ".py")
    path = path if path.is_file() else path.with_suffix("") / "__main__.py"
    text = re.match(r'"""(.*?)"""', path.read_text(), re.DOTALL)
    assert text is not None, path
    return text[1].strip().replace("``", "`")


def help_of(module: str, *subcommand: str) -> str:
    """What ``python -m MODULE SUBCOMMAND --help`` prints; run here, where imports are paid once."""
    printed, given = io.StringIO(), sys.argv
    sys.argv = [module, *subcommand, "--help"]
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            runpy.run_module(module, run_name="__main__", alter_sys=False)
    finally:
        sys.argv = given
        for name in [name for name, loaded in sys.modules.items() if loaded is None]:
            del sys.modules[name]  # what one command does not want, another needs
    text = printed.getvalue().strip()
    if "usage: " not in text:
        raise RuntimeError(f"{module} --help printed no usage: {text[:200]!r}")
    return text


def subcommands(text: str) -> list[str]:
    """The subcommands that a help lists."""
    section = text.partition("\npositional arguments:\n")[2].partition("\n\n")[0]
    return re.findall(r"^ {4}([a-z][\w-]+)(?: |$)", section, re.MULTILINE)


def tasks() -> str:
    """The nox sessions with their docstrings."""
    text = (REPOSITORY / "noxfile.py").read_text()
    found = re.findall(
        r'^@nox\.session.*\ndef (\w+)\(session.*\n    """(.*?)"""', text, re.MULTILINE
    )
    rows = [f"| `{name}` | {cell(what)} |" for name, what in found]
    return "\n".join(["| task | what it does |", "|---|---|", *rows])


# Metrics, exit codes, files, claims, API


def metrics_page() -> str:
    """Every metric that is recorded."""
    from ffn_core.metric_names import METRICS

    groups: dict[str, list[str]] = {}
    for name, metric in METRICS.items():
        group, _, rest = name.partition("/")
        row = f"| `{name}` | {metric.unit} | {cell(metric.meaning)} |"
        groups.setdefault(group if rest else "alone", []).append(row)
    parts = [
        "# Metrics",
        "The MLflow step is the number of FOVs processed, summed over nodes. `*` stands for a "
        "rank or the name of a host. tp, fp and fn are true positives, false positives and false "
        "negatives.",
    ]
    for group, rows in groups.items():
        title = "Without a group" if group == "alone" else f"`{group}/`"
        parts.append("\n".join([f"## {title}", "", "| metric | unit | meaning |", "|---|---|---|"]))
        parts[-1] += "\n" + "\n".join(rows)
    return "\n\n".join(parts)


def exit_codes_page() -> str:
    """The exit codes with their meaning."""
    text = (REPOSITORY / "ffn_core/exit_codes.py").read_text()
    found = re.findall(r'^EXIT_(\w+) = (\d+)\n"""(.*?)"""', text, re.MULTILINE | re.DOTALL)
    rows = [f"| {code} | {name.lower()} | {cell(what)} |" for name, code, what in found]
    return "\n".join(
        [
            "# Exit codes",
            "",
            "| code | name | meaning |",
            "|---|---|---|",
            "| 0 | done | |",
            *rows,
            "",
            "A command returns 0, 1 (a point failed, see its `failure.json`), 2 or 130. The others "
            "are those of a rank (`experiments.worker`), for batch scripts.",
        ]
    )


def run_directory_page() -> str:
    """The files of a run, and what is in them."""
    from experiments.reporting import run_files
    from experiments.reporting.records import Record

    lines = (run_files.__doc__ or "").splitlines()
    rows: list[str] = []
    for line in lines:
        if match := re.match(r"``(.+?)`` +(.*)", line):
            rows.append(f"| `{match[1]}` | {cell(match[2])} |")
    record = attribute_texts(Record)
    fields = [f"| `{name}` | {cell(text)} |" for name, text in record.items()]
    return "\n".join(
        [
            "# Run directory",
            "",
            "Each run has a folder `runs/EXPERIMENT/POINT-IDENTITY/`. POINT names the options that "
            "the sweep changes, IDENTITY is a digest of the whole configuration. It is the truth "
            "about the run; MLflow holds a copy.",
            "",
            "| file or folder | what it holds |",
            "|---|---|",
            *rows,
            "| `logs/` | output of every rank |",
            "| `job/` | script, id and configuration of its Slurm jobs |",
            "",
            "## A record of `metrics.jsonl`",
            "",
            "One JSON object on each line:",
            "",
            "| key | meaning |",
            "|---|---|",
            *fields,
            "",
            "The names in `metrics` are those of [Metrics](metrics.md). A damaged last line (a run "
            "that was killed while it wrote) is repaired when the run continues.",
        ]
    )


def claims_page() -> str:
    """The plan of the study: every claim and what decides it."""
    from analysis.verdicts.plan import CLAIMS

    rows = []
    for claim in CLAIMS:
        region = claim.region.words() if claim.region else f"not testable here: {claim.takes}"
        studies = ", ".join(f"`{name}`" for name in claim.studies)
        rows.append(f"| {claim.claim} | {studies} | {claim.measure} | {cell(region)} |")
    return "\n".join(
        [
            "# The plan of the study",
            "",
            "What decides each claim of the study, as written down before its runs "
            "(`analysis/verdicts/plan.py`). [Verdicts](../concepts/verdicts.md) explains the "
            "words.",
            "",
            "| claim | presets | effect | decided by the 95 % interval of the effect |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def api_page() -> str:
    """The library, a section for each module."""
    parts = ["# Python API", "The library `ffn_core`, which works without the study around it."]
    packages: dict[str, list[str]] = {}
    for path in sorted((REPOSITORY / "ffn_core").rglob("*.py")):
        module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
        if path.name == "__init__.py":
            continue
        packages.setdefault(module.rpartition(".")[0], []).append(module)
    for package, modules in packages.items():
        parts.append(f"## `{package}`")
        parts += [f"::: {module}" for module in modules]
    return "\n\n".join(parts)


def main() -> None:
    """Write everything."""
    sys.path[:0] = [str(REPOSITORY), str(HERE)]
    os.environ["COLUMNS"] = HELP_WIDTH
    import drawings

    pages = {
        "options": options_page,
        "metrics": metrics_page,
        "commands": commands_page,
        "exit-codes": exit_codes_page,
        "run-directory": run_directory_page,
        "claims": claims_page,
        "api": api_page,
    }
    REFERENCE.mkdir(exist_ok=True)
    for name, page in pages.items():
        (REFERENCE / f"{name}.md").write_text(page() + "\n")
    folder = HERE / "drawings"
    folder.mkdir(exist_ok=True)
    for name, drawing in drawings.DRAWINGS.items():
        (folder / f"{name}.svg").write_text(drawing())


if __name__ == "__main__":
    main()
