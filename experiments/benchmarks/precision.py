"""How much faster convolutions in bfloat16 are than in float32, on a CPU that has both."""

from __future__ import annotations

from experiments.benchmarks.ratio import Ratio, median_ratio, ratio
from experiments.benchmarks.runner import Bench
from experiments.reporting.run_files import CONFIG, read_json, run_directories
from ffn_core.model_size import PRECISIONS
from ffn_core.runtime import cpu_flags, native_bfloat16

MODELS = ("paper", "small", "tiny")
STEP_OVER_GEMM = 1.6
TRAINER_OVER_STEP = 0.95
FLOAT32, BFLOAT16 = PRECISIONS[:2]


def precision(bench: Bench) -> list[Ratio]:
    """Bare steps of both precisions in turns, and the trainer; nothing on other CPUs.

    Emulated, the published network alone would take longer than all else, and say nothing.
    """
    if not native_bfloat16(cpu_flags()):
        return []
    return [*(one for model in MODELS for one in _both(bench, model)), *_trainer(bench)]


def _both(bench: Bench, model: str) -> list[Ratio]:
    folder = bench.folder / f"precision-{model}"
    bench.train(
        folder,
        f"model={model}",
        "data=dummy",
        "cluster.nodes=1",
        "cluster.ranks=1",
        "cluster.threads_per_rank=1",
        "budget.steps=1",
        "validation.canvases=0",
    )
    run_dir, file = run_directories(folder, CONFIG)[0].path, folder / "rates.json"
    found: dict[str, list[float]] = {"fovs_per_second": [], "forward_fovs_per_second": []}
    for _ in range(bench.repeats):
        arguments = (str(run_dir), str(file), "0", FLOAT32, BFLOAT16)
        bench.module("experiments.throughput.bare_step", *arguments)
        rates = read_json(file)
        for name, ratios in found.items():
            ratios.append(median_ratio(rates[BFLOAT16][name], rates[FLOAT32][name]))
    return [
        ratio(f"{model}: {what} in bfloat16, FOVs/s", "in float32", found[name], None)
        for what, name in (
            ("training step", "fovs_per_second"),
            ("forward pass", "forward_fovs_per_second"),
        )
    ]


def _trainer(bench: Bench) -> list[Ratio]:
    """The published network in bfloat16: its step over the product in float32, and the trainer."""
    out = bench.folder / "precision-trainer"
    bench.module(
        "experiments.throughput",
        "model=paper",
        f"model.precision={BFLOAT16}",
        "data=synthetic",
        "throughput.mode=weak",
        "throughput.ranks=[1]",
        f"throughput.repeats={bench.repeats}",
        "throughput.steps=20",
        "cluster.local_batch_size=1",
        "cluster.threads_per_rank=1",
        f"runs_dir={out}",
        f"tracking.uri=sqlite:///{bench.folder / 'mlflow.db'}",
        "tracking.experiment=precision",
    )
    (results,) = sorted(out.glob("throughput/*/throughput.json"))
    runs = read_json(results)["measurements"]
    peak = [run["reference"]["fraction_of_peak"] for run in runs]
    trainer = [run["fovs_per_second"] / run["reference"]["fovs_per_second"] for run in runs]
    step = f"paper: training step in {BFLOAT16}, floating-point operations per second"
    whole = f"paper: whole trainer in {BFLOAT16}, FOVs/s"
    return [
        ratio(step, "matrix product in float32 in the same process", peak, STEP_OVER_GEMM),
        ratio(whole, "its bare step", trainer, TRAINER_OVER_STEP),
    ]
