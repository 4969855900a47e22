"""Every kind of file that commands leave, damaged in many ways, and read as commands read it.

A reader has to name the damage in one line with the path, or to read what was written: damage that
changes nothing of meaning is harmless. ``FUZZ_DAMAGE`` is the number of mutations per kind.
"""

import dataclasses
import math
import os
import random
import signal
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.recorded import provenance
from analysis.runs.mlflow_reader import load_runs
from analysis.runs.runs import Runs, runs_from_records
from experiments.data.cache import ensure_synthetic
from experiments.launch import lineage, slurm
from experiments.reporting import run_files
from experiments.reporting.mlflow_store import Store
from experiments.reporting.mlflow_sync import LINK, linked_run
from experiments.reporting.records import Record
from experiments.reporting.run_files import RunDirectory
from experiments.segment import segmentation_files
from experiments.segment.config import ResolvedRegion, ResolvedSegment
from experiments.segment.pipeline import EVALUATION_HOLDS, RESULT_HOLDS
from experiments.sweep import outcome
from experiments.sweep.status import point_state
from experiments.trainer import watchdog
from ffn_core import metric_names as names
from ffn_core.errors import InputError
from ffn_core.files.output_list import LIST, read_list
from ffn_core.files.outputs import Outputs
from ffn_core.inference.sample import SegmentedSample
from ffn_core.inference.segmentation import State
from ffn_core.sampling.coordinates import Coordinates
from ffn_core.training import checkpoint
from ffn_core.volumes import open_labels

MUTATIONS = int(os.environ.get("FUZZ_DAMAGE", "12"))
LONGEST_S = 20
SHAPE = (8, 12, 12)
LINK_HOLDS = {"run_id": str, "uri": str}
WANTED = {"one line", "harmless"}


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: shown with the counts.
        path: of the file.
        read: what it says.
        weight: of the number of mutations.
        older: contents that are whole files of older versions.
    """

    name: str
    path: Path
    read: Callable[[], Any]
    weight: float = 1.0
    older: tuple[bytes, ...] = ()


def mutations(whole: bytes, rng: random.Random) -> bytes:
    """What a power failure, a bad disk or a person may make of a file."""
    size = len(whole)
    at = rng.randrange(size)
    length = min(size - at, rng.choice((1, 2, 16, 512, 4096)))
    changed = bytearray(whole)
    match rng.randrange(9):
        case 0:
            return rng.choice((b"", b"{}", b"[]", b"null", b"\0", b"x\xff", b"0", b"{}\n"))
        case 1:
            return whole[:at]
        case 2:
            changed[at : at + length] = bytes(length)
        case 3:
            changed[at : at + length] = rng.randbytes(length)
        case 4:
            for _ in range(rng.choice((1, 1, 1, 3))):
                changed[rng.randrange(size)] ^= 1 << rng.randrange(8)
        case 5:
            changed[at] = ord(rng.choice("0123456789abcdef \n\"'{}[]:,#"))
        case 6:
            del changed[at : at + length]
        case 7:
            changed[at:at] = rng.choice((b"0", b"\n", rng.randbytes(16), whole[:at][-40:] or b"0"))
        case 8:
            lines = whole.split(b"\n")
            line = rng.randrange(len(lines))
            if rng.random() < 0.5:
                del lines[line]
            else:
                lines.insert(line, lines[line])
            return b"\n".join(lines)
    return bytes(changed)


def plain(value: Any) -> Any:
    """A value that compares as a whole."""
    if isinstance(value, pd.DataFrame):
        return value.to_csv(index=False), [str(kind) for kind in value.dtypes]
    if isinstance(value, np.ndarray):
        return value.shape, str(value.dtype), value.tobytes()
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return value


def judge(kind: Kind, whole: Any) -> tuple[str, str]:
    """What a reader made of the file as it is: one of the counted words, and what it said."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"longer than {LONGEST_S} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LONGEST_S)
    try:
        found = plain(kind.read())
    except TimeoutError as error:
        return "hang", str(error)
    except InputError as error:
        said = str(error)
        named = str(kind.path) in said or str(kind.path.parent) in said
        return ("one line" if named and "\n" not in said else "not named"), said
    except Exception:
        return "traceback", traceback.format_exc(limit=-3)
    finally:
        signal.alarm(0)
    return ("harmless", "") if found == whole else ("silent", repr(found)[:300])


def damaged_often(kind: Kind, rng: random.Random) -> tuple[Counter[str], list[str]]:
    """Counts of what became of the mutations of one file, and what must not have been."""
    content, whole = kind.path.read_bytes(), plain(kind.read())
    counts: Counter[str] = Counter()
    wrong = []
    for _ in range(max(1, round(MUTATIONS * kind.weight))):
        mutated = mutations(content, rng)
        if mutated == content or mutated.strip() in kind.older:
            continue
        kind.path.write_bytes(mutated)
        word, said = judge(kind, whole)
        counts[word] += 1
        if word not in WANTED:
            wrong.append(f"{kind.name}: {word}: {mutated[:120]!r}...: {said}")
    kind.path.write_bytes(content)
    assert plain(kind.read()) == whole
    return counts, wrong


def run_kinds(folder: Path) -> list[Kind]:
    """Files of a training run."""
    run = RunDirectory(folder / "run")
    run.path.mkdir(parents=True)
    score = {"name": "validation/f1", "final": 0.75, "fovs": 1600, "best": 0.8, "best_fovs": 1200}
    run.write_result(
        {"outcome": "finished", "step": 400, "fovs": 1600, "elapsed_s": 12.5, "score": score}
        | {"fovs_per_second": 128.0, "records": 3, "message": ""}
    )
    run.write_failure(
        {"exit_code": 1, "rank": 0, "message": "no", "traceback": "", "ends_run": True}
    )
    run.write_progress(
        {"step": 3, "fovs": 12, "elapsed_s": 0.5, "loss": 0.7, "budget_steps": 400}
        | {"budget_s": None}
    )
    tags = {names.KIND: names.POINT, names.EMULATED: "false", names.RUN_DIR: str(run.path)}
    run.write_identity(
        {"experiment": "study", "name": "nodes=4", "params": {"seed": 1, names.NODES: 4}}
        | {"tags": tags, "parent": None, "earlier": None}
    )
    run.write_provenance({"version.numpy": "2.0", "git.commit": "ab" * 20, "host.name": "h"})
    run.write_config({"cluster": {"nodes": 4}, "data": {"name": "synthetic"}, "seed": 1})
    for step in (1, 2, 3):
        run.append(Record(step, 4 * step, 0.5 * step, 1e9 + step, {"train/loss": 0.5 / step}))
    link = run.path / LINK
    run_files.write_json(link, {"uri": "sqlite:////x/mlflow.db", "run_id": "ab" * 16})
    before = {"kind": "continued", "run_dir": "/a", "name": "b", "fovs": 8, "step": 2}
    run_files.write_json(run.path / run_files.LINEAGE, before)
    (run.path / slurm.FOLDER).mkdir()
    slurm.add_job(run.path, "17", ["sbatch", "--parsable"])
    ranks = run.path / watchdog.FOLDER
    ranks.mkdir()
    run_files.write_json(
        ranks / "00000.json", dataclasses.asdict(watchdog.Presence(0, "h", 1, 2, 3))
    )
    manifest = folder / "sweep-0123abcd.json"
    run_files.write_json(manifest, {"uri": "sqlite:////x/mlflow.db", "run_id": "cd" * 16})

    def status() -> Any:
        state = point_state(run.path, {})
        if state.state == "damaged":
            raise InputError(state.reason)
        return state

    def later() -> Any:
        (run.path / run_files.RESULT).rename(folder / "result")
        try:
            return outcome.conclude("a", run.path)
        finally:
            (folder / "result").rename(run.path / run_files.RESULT)

    def identity() -> Any:
        path = run.path / run_files.IDENTITY
        return run_files.build(outcome.RunIdentity, run.identity(), path)

    def presence() -> Any:
        found = watchdog.read_presence(ranks, 0)
        if found is None:  # as never heard of: a rank that is there says so once more
            raise InputError(f"{ranks}: nothing heard of rank 0")
        return found

    return [
        Kind("result", run.path / run_files.RESULT, status),
        Kind("failure", run.path / run_files.FAILURE, later),
        Kind("progress", run.path / run_files.PROGRESS, run.progress),
        Kind("identity", run.path / run_files.IDENTITY, identity),
        Kind(
            "provenance",
            run.path / run_files.PROVENANCE,
            lambda: provenance.read(run.path),
        ),
        Kind("config", run.path / run_files.CONFIG, run.config),
        Kind("records", run.path / run_files.METRICS, run.records),
        Kind("MLflow link", link, lambda: linked_run(run.path, "sqlite:////x/mlflow.db")),
        Kind("lineage", run.path / run_files.LINEAGE, lambda: lineage.lineage_of(run.path)),
        Kind("jobs", run.path / slurm.FOLDER / slurm.JOB, lambda: slurm.job_ids(run.path)),
        Kind("ranks", ranks / "00000.json", presence),
        Kind("sweep", manifest, lambda: run_files.read_json(manifest, "remove it", LINK_HOLDS)),
    ]


def segmentation_kinds(folder: Path) -> list[Kind]:
    """Files of a segmentation."""
    folder = folder / "segmentation"
    config = ResolvedSegment(
        checkpoint="/run/checkpoints/step-00000400",
        image="/v.h5:image",
        mean=100.0,
        stddev=30.0,
        fov_zyx=[5, 5, 5],
        deltas_zyx=[1, 1, 1],
        region=ResolvedRegion(start_zyx=[0, 0, 0], size_zyx=list(SHAPE)),
        out=str(folder),
    )
    segmentation_files.write_config(folder, config)
    segmentation_files.write_todo(folder, [0, 2, 5])
    segmentation_files.write_progress(folder, 0, fraction=0.5, fovs=7, objects=2, unix_s=1e9)
    finished = segmentation_files.finished_path(folder, 0)
    ids = np.arange(math.prod(SHAPE), dtype=np.uint32).reshape(SHAPE)
    state = State(ids, 3, 7, np.arange(6).reshape(2, 3), None)
    segmentation_files.save_state(finished, state)
    segmentation_files.leave_failure(folder, 2, "no", "")
    scores = folder / segmentation_files.EVALUATION
    rates = {"voxels": 8, "are": 0.25, "precision": 0.5, "recall": 0.75}
    run_files.write_json(scores, {"foreground": rates, "assigned": rates, "coverage": 0.5})
    result, failure = folder / run_files.RESULT, folder / run_files.FAILURE
    run_files.write_json(result, {"segments": 2, "fovs": 7, "subvolumes": 1})
    progress = finished.with_suffix(".json")
    return [
        Kind(
            "segmentation's config",
            folder / run_files.CONFIG,
            lambda: segmentation_files.load_config(folder),
        ),
        Kind(
            "todo",
            folder / segmentation_files.TODO,
            lambda: segmentation_files.read_todo(folder),
            older=(b"[]",),
        ),
        Kind("subvolume", finished, lambda: segmentation_files.load_state(finished)),
        Kind("subvolume's progress", progress, lambda: segmentation_files.read_progress(folder, 0)),
        Kind("worker's failure", failure, lambda: run_files.read_json(failure)),
        Kind("evaluation", scores, lambda: run_files.read_json(scores, "-", EVALUATION_HOLDS)),
        Kind(
            "segmentation's result", result, lambda: run_files.read_json(result, "-", RESULT_HOLDS)
        ),
    ]


def data_kinds(folder: Path) -> list[Kind]:
    """Volumes, coordinates, checkpoints and lists of outputs."""
    volume = ensure_synthetic(folder / "cache", (16, 16, 16), 1)[1]
    file = Path(volume.rpartition(":")[0])
    members = tuple(np.arange(4) + 10 * i for i in range(3))
    coordinates = folder / "coordinates.h5"
    made = Coordinates(members, (16, 16, 16), (1, 1, 1), (0.1, 0.5), 5, "labels")
    made.save(coordinates)
    weights = [np.arange(5, dtype=np.float32)]
    saved = checkpoint.Checkpoint(4, {"step": 4}, weights, {"m": weights[0]})
    kept = checkpoint.save(folder / "kept", saved, None, 0, lambda item: [item], keep=1)
    with Outputs("a").place(folder / "out" / "v") as path:
        path.write_text("content")
    ids = np.arange(60, dtype=np.uint32).reshape(3, 4, 5)
    sample = folder / "sample.h5"
    SegmentedSample(ids, ids, ids[1], 1, (0, 0, 0), 5).save(sample)
    return [
        Kind("volume", file, lambda: open_labels(volume).read((0, 0, 0), (16, 16, 16))),
        Kind("coordinates", coordinates, lambda: Coordinates.load(coordinates)),
        Kind("manifest", kept / checkpoint.MANIFEST, lambda: checkpoint.load(kept)),
        Kind("weights", kept / checkpoint.SHARED, lambda: checkpoint.load(kept)),
        Kind(
            "list of outputs",
            folder / "out" / LIST,
            lambda: read_list(folder / "out"),
            older=(b"{}",),
        ),
        Kind("sample", sample, lambda: SegmentedSample.load(sample)),
    ]


def study_kinds(folder: Path) -> list[Kind]:
    """Tables of a recorded study."""
    folder = folder / "study"
    records = [
        {"run_id": f"run{i}", "name": f"point {i}", "experiment": "study", "status": "FINISHED"}
        | {"nodes": str(4**i), "local_batch_size": "1", "seed": "1", "start_time": pd.Timestamp(i)}
        for i in range(5)
    ]
    rows = [(f"run{i}", "train/loss", step, 1 / (step + 1)) for i in range(5) for step in range(40)]
    history = pd.DataFrame(rows, columns=["run_id", "metric", "fovs", "value"])
    runs_from_records(records, history).to_parquet(folder)
    provenance.write(
        folder, {"experiment": "study", "points": {"finished": 5}, "varied": ["nodes"]}
    )

    def read() -> Any:
        found = Runs.from_recorded(folder)
        return found.table, found.history

    return [
        Kind("table of runs", folder / "runs.parquet", read),
        Kind("history", folder / "history.parquet", read),
        Kind("study's provenance", folder / provenance.FILE, lambda: provenance.read(folder)),
    ]


@pytest.mark.parametrize("kinds", [run_kinds, segmentation_kinds, data_kinds, study_kinds])
@pytest.mark.timeout(0)
def test_damage_is_named_in_one_line(tmp_path, kinds):
    rng = random.Random(f"{kinds.__name__} {MUTATIONS}")
    total: Counter[str] = Counter()
    wrong: list[str] = []
    for kind in kinds(tmp_path):
        counts, bad = damaged_often(kind, rng)
        print(f"{kind.name}: {summary(counts)}")
        total += counts
        wrong += bad
    print(f"{kinds.__name__}: {summary(total)}")
    assert not wrong, "\n".join(wrong[:10])


@pytest.mark.timeout(0)
def test_a_damaged_store_is_named_in_one_line(tmp_path):
    """SQLite keeps no checksums: a changed value cannot be noticed."""
    path = tmp_path / "mlflow.db"
    uri = f"sqlite:///{path}"
    store = Store(uri)
    for i in range(3):
        run_id = store.start_run("study", f"point {i}", {names.KIND: names.POINT})
        store.log_params(run_id, {"cluster.nodes": 4**i, "seed": 1})
        records = [Record(s, 4 * s, 1.0, 1e9 + s, {"train/loss": 1 / s}) for s in range(1, 30)]
        store.log_records(run_id, records)
        store.set_status(run_id, "FINISHED", 1e9)

    def read() -> Any:
        found = load_runs(uri)
        return found.table, found.history

    kind = Kind("store", path, read, weight=0.5)
    counts, wrong = damaged_often(kind, random.Random(MUTATIONS))
    print(f"store: {summary(counts)}")
    wrong = [line for line in wrong if not line.startswith("store: silent")]
    assert not wrong, "\n".join(wrong[:10])


def summary(counts: Counter[str]) -> str:
    """The counts of a fuzzer in one line."""
    words = ("one line", "harmless", "not named", "traceback", "silent", "hang")
    return f"{counts.total()} tried, " + ", ".join(f"{counts[word]} {word}" for word in words)
