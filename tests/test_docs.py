"""README and docs: short, with links that lead somewhere, and true to the code they describe."""

import ast
import dataclasses
import json
import re
import tomllib
from pathlib import Path

import generate
import option_tables
import pytest
import yaml

from experiments.config.hydra_messages import check_overrides
from experiments.config.presets import CONF, groups_of
from experiments.config.schema import Config
from experiments.segment.config import SegmentConfig
from experiments.throughput.plan import ThroughputConfig
from experiments.throughput.tuning import TuneConfig

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PROOFS = ROOT / "analysis" / "recorded" / "proofs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if path.parent.name != "reference")
AT_TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
BUILT = {"contributing.md", "changelog.md", "verdicts.md"}
"""Pages that exist on the site only, as do those of `reference/` and `images/`."""

COMMANDS = (
    "    pip install uv && uvx nox -s demo     # set up, then the main job: sweeps, MLflow store,"
    " figures\n"
    "    pip install uv && uvx nox -s tests    # set up, then all tests\n"
)


def test_readme_is_one_page_with_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 120
    assert COMMANDS in text
    assert COMMANDS in (DOCS / "get-started.md").read_text()


def missing(page: Path) -> list[str]:
    """Targets of relative links of a page that do not exist."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    gone = []
    for link in links:
        target = (page.parent / link).resolve()
        if target.is_relative_to(DOCS):
            on_site = target.relative_to(DOCS)
            if on_site.parts[0] in ("reference", "images") or str(on_site) in BUILT:
                continue
        if not target.exists():
            gone.append(link)
    return gone


@pytest.mark.parametrize("page", [*AT_TOP, *PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    assert missing(page) == []


def test_a_link_to_nothing_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("[a](page.md) [b](gone.md#part) [c](https://example.org)")
    assert missing(page) == ["gone.md"]


def test_every_page_is_in_the_navigation():
    # The file has a tag for no other loader than that of MkDocs; the navigation is plain YAML.
    text = (ROOT / "mkdocs.yml").read_text()
    navigation = yaml.safe_load(text[text.index("\nnav:") :])["nav"]
    listed = set(re.findall(r"[\w/-]+\.md", str(navigation)))
    assert {str(page.relative_to(DOCS)) for page in PAGES} <= listed


def test_the_version_is_the_same_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.findall(r"^## \[(\d[\d.]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert (citation["version"], newest[0]) == (version, version)


def test_every_preset_is_on_a_page():
    text = "".join(page.read_text() for page in [ROOT / "README.md", *PAGES])
    presets = [path.stem for path in (ROOT / "conf/experiment").glob("*.yaml")]
    assert [name for name in presets if f"`{name}`" not in text and f"={name}" not in text] == []


def messages() -> str:
    """Every text in the code, joined; ``...`` for a value in it."""
    found = []
    for package in ("ffn_core", "experiments", "analysis"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(getattr(part, "value", "...") for part in plain(node)))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return "\n".join(found)


def plain(node: ast.JoinedStr) -> list[ast.Constant]:
    """Parts of a formatted text, values as ``...``."""
    return [p if isinstance(p, ast.Constant) else ast.Constant("...") for p in node.values]


def test_error_lines_of_the_troubleshooting_page_are_those_of_the_code():
    text = (DOCS / "troubleshooting.md").read_text()
    lines = [
        quoted
        for section in text.split("\n## ")[2:]  # after Set-up, whose lines are of other programs
        for quoted in re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    ]
    assert len(lines) > 30
    code = messages()
    parts = {part.strip() for line in lines for part in line.split("...")}
    assert [part for part in sorted(parts) if part and part not in code] == []


def test_every_command_is_in_the_reference():
    guard = 'if __name__ == "__main__":'
    described = {*generate.HYDRA, "experiments.worker"}
    described |= {name for names in generate.ARGPARSE.values() for name in names}
    files = [
        path
        for package in ("experiments", "analysis")
        for path in [*(ROOT / package).glob("*.py"), *(ROOT / package).glob("*/__main__.py")]
    ]
    commands = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
        for path in files
        if guard in path.read_text()
    }
    assert described - {"analysis.results.notebooks"} == commands


def test_subcommands_are_read_from_a_help():
    text = "usage: x\n\npositional arguments:\n  COMMAND\n    get   take it\n          there\n"
    assert generate.subcommands(text + "    put-back\n\noptions:\n    -h  help\n") == [
        "get",
        "put-back",
    ]
    assert generate.subcommands("usage: x\n\npositional arguments:\n  folder  of it\n") == []


@dataclasses.dataclass
class Part:
    """A part.

    ``size`` says how large.
    """

    size: int = 3
    names: list[str] = dataclasses.field(default_factory=list)
    rate: float | None = dataclasses.field(
        default=None, metadata={"doc": "how fast", "range": "above 0"}
    )


@dataclasses.dataclass
class Whole:
    """A whole.

    Attributes:
        title: what it is called,
            over two lines.
        part: of it.
    """

    title: str
    part: Part = dataclasses.field(default_factory=Part)


def test_options_are_read_from_dataclasses():
    assert list(option_tables.sections(Whole)) == [("", Whole), ("part.", Part)]
    assert list(option_tables.option_rows(Whole, {}, {})) == [
        ("title", "text", "must be given", "what it is called, over two lines")
    ]
    comments = {"part.names": "of it"}
    assert list(option_tables.option_rows(Part, {"size": 4}, comments, "part.")) == [
        ("part.size", "whole number", "`4`", "see above"),
        ("part.names", "list of text", "`[]`", "of it"),
        ("part.rate", "number or null", "`null`", "how fast (above 0)"),
    ]


def test_comments_are_read_from_yaml(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("# head\na: 1 # one\nb:\n  c: [1, 2] # two\n  d: null\ne: x # last\n")
    assert option_tables.comments_of(path) == {"a": "one", "b.c": "two", "e": "last"}
    assert option_tables.first_comment(path) == "head"


def commands() -> list[str]:
    return [*generate.HYDRA, *(name for names in generate.ARGPARSE.values() for name in names)]


def test_every_command_has_a_script():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    modules = {target.partition(":")[0]: target.partition(":")[2] for target in scripts.values()}
    known = {module.removesuffix(".__main__") for module in modules}
    assert known == set(commands())
    for module, function in modules.items():
        tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
        assert function in {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
        (main,) = [
            one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "main"
        ]
        assert [ast.unparse(one) for one in main.decorator_list] == ["command"], module
        assert len(main.args.defaults) == len(main.args.args), f"{module}: called without arguments"


def test_every_help_opens_with_what_the_command_does_and_two_examples():
    for module in commands():
        first, _, rest = generate.docstring(module).partition("\n\n")
        assert re.fullmatch(r"[A-Z][^\n]+\.", first), f"{module}: {first}"
        examples = rest.partition("\n\n")[0].splitlines()
        assert len(examples) >= 2, module
        for line in examples:
            assert re.match(rf"    python -m {re.escape(module)}( |$)", line), line


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("module", [name for names in generate.ARGPARSE.values() for name in names])
def test_the_help_of_a_subcommand_does_the_same(module):
    for sub in generate.subcommands(generate.help_of(module)):
        paragraphs = generate.help_of(module, sub).split("\n\n")
        assert re.fullmatch(r"[A-Z][^\n]+\.", paragraphs[0]), f"{sub}: {paragraphs[0]}"
        examples = [line for line in paragraphs[1].splitlines() if line.startswith("    python")]
        assert len(examples) >= 2, sub
        for line in examples:
            assert re.match(rf"    python -m {re.escape(module)} {sub}( |$)", line), line


def test_examples_of_helps_name_options_that_exist():
    apps = {"segment": SegmentConfig, "throughput": ThroughputConfig, "tune": TuneConfig}
    for module, file in generate.HYDRA.items():
        schema = {file: apps[file]} if file in apps and file != "segment" else {}
        schema[""] = SegmentConfig if file == "segment" else Config
        for line in re.findall(
            r"^    python -m \S+(.*)$", generate.docstring(module), re.MULTILINE
        ):
            check_overrides(line.split(), CONF, schema, groups_of(file, schema))


def rows_of(page: str, head: str) -> list[list[str]]:
    """Cells of the table of a page whose first column is called ``head``."""
    text = (DOCS / "guides" / page).read_text()
    table = text.partition(f"| {head} |")[2].partition("\n\n")[0]
    return [
        [cell.strip("` ") for cell in row.strip("|").split("|")] for row in table.split("\n")[2:]
    ]


def test_the_table_of_speeds_on_a_gpu_is_that_of_its_record():
    record = json.loads((PROOFS / "gpu.json").read_text())["bare_steps"]
    known = {(one["model"], one["micro_batch"], one["precision"]): one for one in record}
    shown = 0
    for name, batch, *cells in rows_of("gpu.md", "network"):
        for precision, cell in zip(("float32", "tf32", "bfloat16"), cells, strict=True):
            one = known.get((name, int(batch), precision))
            if one is None:
                assert cell == "-"
                continue
            step, forward = cell.rstrip(")").split(" (")
            for text, measured in ((step, "step"), (forward, "forward")):
                value = one[f"{measured}_fovs_per_second"]["median"]
                assert float(text) == pytest.approx(value, rel=0.005)
            shown += 1
    assert shown == len(known)


def test_the_table_of_precision_is_that_of_its_record():
    claims = json.loads((PROOFS / "bfloat16.json").read_text())["claims"]
    ratios = {one["name"]: one["values"][0] for one in claims}
    table = rows_of("precision.md", "network")
    assert [name for name, *_ in table] == ["paper", "small", "tiny"]
    for name, step, forward in table:
        for text, what in ((step, "training step"), (forward, "forward pass")):
            assert text == f"{ratios[f'{name}: {what} in bfloat16, FOVs/s']:.1f} times"
