"""Every number of every configuration with bad values, and command lines mangled at random.

Each attempt is a command of its own, a dry run in a process forked from one that has imported
everything, with limits of time and memory. Wanted: exit code 2 and one line that names the option,
or exit code 0 where the value is allowed; never a traceback, a silent refusal or acceptance, or a
hang. ``nox -s fuzz`` tries them all and prints the counts; the suite tries a few.
"""

import importlib
import math
import multiprocessing
import os
import random
import resource
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from experiments.config.options import Option, options_of
from experiments.config.schema import Config
from experiments.segment.config import SegmentConfig
from experiments.throughput.plan import ThroughputConfig
from experiments.throughput.tuning import TuneConfig
from ffn_core.files import REPOSITORY
from tests.run_commands import COMMON

TRIES = int(os.environ.get("FUZZ_OPTIONS", "4"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
LIMIT_S = 60.0
LIMIT_BYTES = 6 * 2**30
BAD = ("nan", "inf", "-inf", "-1", "0", "1e400", "1e308", "-1e308", "1e12", "1000000000000",
       "9223372036854775808", "1" * 40, "1e-320", "2.5", "-0.5", "abc", "''", "[]", "[1]", "[nan]",
       "{a:1}", "null", "true", "1,2", "${nope}", "1e", "0x10", "1_000")  # fmt: skip
NOISE = ",=[]{}()'\"$\\ :~+@?*.0a"
BUDGET = {"budget.steps", "budget.fovs", "budget.seconds"}

# What each command line is tried with besides, so that it does nothing but look at its options:
# commands without a dry run are given another bad option, which they name where all else is right.
COMMANDS = {
    "experiments.train": (Config, "", ["sweep.dry_run=true", "model=micro", "budget.steps=5"]),
    "experiments.throughput.__main__": (
        ThroughputConfig,
        "throughput.",
        ["model=micro", "launcher.name=none_such"],
    ),
    "experiments.tune": (TuneConfig, "tune.", ["model=micro", "model.checkpoint_weights=none"]),
    "experiments.segment.__main__": (SegmentConfig, "", ["checkpoint=/none/such"]),
}
Attempt = tuple[str, str, list[str], bool]
"""Module, option (empty: any may be named), arguments, whether the value is out of range."""


def attempts() -> Iterator[Attempt]:
    """Each number with each bad value, then mangled arguments."""
    for module, (cls, prefix, more) in COMMANDS.items():
        for option in options_of(cls, prefix):
            if option.is_number and "[]" not in option.name and option.name != "stage":
                for value in BAD:
                    others = [m for m in more if not _clash(m, option.name)]
                    text = _as_typed(option, value)
                    yield module, option.name, [*others, text], _out_of_range(option, value)
    rng = random.Random(SEED)
    names = [option.name for option in options_of(Config) if "[]" not in option.name]
    for _ in range(300):
        text = list(f"{rng.choice(names)}={rng.choice(BAD)}")
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(text))
            text[place : place + rng.randint(0, 1)] = rng.choice(NOISE)
        argument = "".join(text).lstrip("-") or "="
        if not argument.startswith(("hydra", "--")):
            yield "experiments.train", "", [*COMMANDS["experiments.train"][2], argument], False


def _clash(argument: str, name: str) -> bool:
    given = argument.partition("=")[0]
    return given == name or {given, name} <= BUDGET


def _as_typed(option: Option, value: str) -> str:
    hint = str(option.hint)
    if "dict" in hint:
        return f"+{option.name}.epsilon={value}"
    if "list" in hint and value[:1] not in ("[", "{", "n", "$"):
        return f"{option.name}=[{value},{value},{value}]"
    return f"{option.name}={value}"


def _out_of_range(option: Option, value: str) -> bool:
    """Whether a number as typed, read by Python, lies outside of the range of its option."""
    try:
        number = float(value)
    except ValueError:
        return False
    limits = option.limits
    assert limits is not None
    low = limits.at_least if limits.at_least is not None else limits.above
    high = limits.at_most if limits.at_most is not None else limits.below
    assert low is not None
    assert high is not None
    return math.isnan(number) or number < low or number > high


def _in_child(module: str, arguments: Sequence[str], folder: str) -> None:
    """Run a command; what it prints goes to files of ``folder``."""
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(folder) / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1, closefd=False) for n in (1, 2))
    os.chdir(folder)
    sys.argv = [module, *arguments]
    sys.modules["__main__"].__file__ = None  # Hydra asks where it was started from
    code = 1
    try:
        code = importlib.import_module(module).main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


def outcome(attempt: Attempt, code: int | None, printed: str) -> str:
    """What an attempt came to: accepted, one line, traceback, silent or hang."""
    _, name, _, out_of_range = attempt
    lines = [line for line in printed.splitlines() if line and not line.startswith("warning: ")]
    if code is None:
        return "hang"
    if "Traceback" in printed or code not in (0, 2):
        return "traceback"
    if code == 0:
        return "silent" if out_of_range else "accepted"
    if len(lines) != 1 or not lines[0].startswith("error: ") or "***" in printed:
        return "silent"
    named = name.removesuffix("_zyx").rpartition(".")[2] in lines[0]
    return "silent" if (out_of_range and not named) else "one line"


@pytest.fixture(scope="module")
def forked():
    """Start processes that have imported the commands already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*COMMON])  # all of `COMMANDS` is among them
    return context


@pytest.mark.timeout(600 + 6 * TRIES)
def test_no_option_ends_in_a_traceback_in_silence_or_in_a_hang(forked, tmp_path):
    everything = list(attempts())
    random.Random(SEED).shuffle(everything)
    counts: Counter[str] = Counter(tried=0)
    wrong = []
    for attempt in everything[:TRIES]:
        module, _, arguments, _ = attempt
        process = forked.Process(target=_in_child, args=(module, arguments, str(tmp_path)))
        process.start()
        process.join(LIMIT_S)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
        printed = (tmp_path / "err").read_text() if (tmp_path / "err").exists() else ""
        found = outcome(attempt, code, printed)
        counts.update(["tried", found])
        if found not in ("accepted", "one line"):
            wrong.append(f"{found}: {module} {arguments} -> {code} {printed[-400:]}")
        (tmp_path / "err").unlink(missing_ok=True)
    kinds = ("tried", "one line", "accepted", "traceback", "silent", "hang")
    print("\noptions: " + ", ".join(f"{counts[kind]} {kind}" for kind in kinds))
    print(f"of {len(everything)} different attempts, seed {SEED}")
    left = sorted(path.name for path in tmp_path.iterdir() if path.name not in ("out", "err"))
    assert wrong == [], "\n".join(wrong)
    assert left == [], "a refused or dry run creates nothing"


def test_the_attempts_cover_every_number_of_every_configuration():
    tried = {(module, name) for module, name, _, _ in attempts() if name}
    for module, (cls, prefix, _) in COMMANDS.items():
        for option in options_of(cls, prefix):
            if option.is_number and "[]" not in option.name and option.name != "stage":
                assert (module, option.name) in tried
    assert (REPOSITORY / "conf").is_dir()


@pytest.mark.parametrize(
    ("code", "printed", "expected"),
    [
        (2, "error: seed=-1 must be an integer\n", "one line"),
        (2, "error: something else\n", "silent"),
        (2, "error: seed\nand more\n", "silent"),
        (0, "", "silent"),
        (1, "Traceback (most recent call last)\n", "traceback"),
        (-9, "", "traceback"),
        (None, "", "hang"),
    ],
)
def test_outcomes(code, printed, expected):
    assert outcome(("experiments.train", "seed", [], True), code, printed) == expected
