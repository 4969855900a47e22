"""Allreduce between two hosts over links of known rate, against the alpha-beta model. Needs root.

    python tests/cluster/prove_links.py RESULTS_DIR

Two network namespaces are the hosts; Horovod's ranks sum float32 buffers over Gloo as a training
step does. Two predictions of every time come from
`analysis.models.scaling_models.ring_allreduce`, with alpha the latency of one message and beta the
seconds per byte:

- *link*: beta from the rate that the link is set to, alpha from the smallest size alone;
- *fit*: alpha and beta from the times of two sizes, compared at the others.

Printed, and written as JSON (with versions and hardware), CSV and a picture.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import links_figure
import numpy as np
import pandas as pd
from allreduce_rank import PLAN, REPEATS, TIMES
from linked_hosts import LinkedHosts

from analysis.models.scaling_models import ring_allreduce
from experiments.reporting.provenance import provenance
from ffn_core.model_size import ModelSize

RATES_MBIT = (50.0, 100.0, 300.0)
MODEL_BYTES = 4 * ModelSize(depth=12, features=32).parameters
SIZES = (4096, 262_144, 1_048_576, MODEL_BYTES, 4_194_304, 8_388_608)
FITTED = (262_144, 8_388_608)
PAYLOAD = 1448 / 1514
"""Share of an Ethernet frame of 1514 bytes that TCP over IPv4 with timestamps leaves to us."""

LIMIT_S = 600.0
TOLERANCE = 0.15
"""How far the predicted time of the network's gradient may be off."""


def predicted_s(size: int, alpha_s: float, beta_s: float) -> float:
    """Seconds of an allreduce of ``size`` bytes between two hosts.

    `ring_allreduce` gives efficiency for times in units of the compute time of a step; with a
    second of compute, what is missing from it is communication.
    """
    efficiency = ring_allreduce(np.array([2.0]), alpha_s, size * beta_s)
    return float(1 / efficiency[0] - 1)


def fit(times: dict[int, float], sizes: tuple[int, int]) -> tuple[float, float]:
    """Alpha and beta through the times of two sizes: t = 2 alpha + size beta for two hosts.

    No latency is negative: where small buffers pass faster than the link's rate, as a token bucket
    lets them, alpha is 0 and beta that of the larger size.
    """
    small, large = sizes
    beta = (times[large] - times[small]) / (large - small)
    alpha = max(0.0, (times[small] - small * beta) / 2)
    return alpha, (times[large] - 2 * alpha) / large


def measure() -> list[dict[int, list[float]]]:
    """Seconds of every allreduce by size, for each rate of the link."""
    program = str(Path(__file__).with_name("allreduce_rank.py"))
    with LinkedHosts() as hosts, tempfile.TemporaryDirectory() as folder:
        Path(folder, PLAN).write_text(json.dumps({"rates": RATES_MBIT, "sizes": SIZES}))
        ranks = [
            subprocess.Popen(hosts.on(rank, [sys.executable, program, str(rank), folder]))
            for rank in (0, 1)
        ]
        try:
            codes = [rank.wait(LIMIT_S) for rank in ranks]
        finally:
            for rank in ranks:
                rank.kill()
                rank.wait()
        if any(codes):
            raise RuntimeError(f"the ranks ended with {codes}")
        found = json.loads(Path(folder, TIMES).read_text())
    return [{int(size): times for size, times in by_size.items()} for by_size in found]


def compare(mbit_per_s: float, measured: dict[int, list[float]]) -> list[dict[str, Any]]:
    """One row per size: the median time, its spread, and both predictions."""
    times = {size: statistics.median(values) for size, values in measured.items()}
    link_beta = 8 / (mbit_per_s * 1e6 * PAYLOAD)
    link_alpha = max(0.0, times[SIZES[0]] / 2 - SIZES[0] * link_beta / 2)
    alpha, beta = fit(times, FITTED)
    rows = []
    for size, median_s in times.items():
        low, high = np.percentile(measured[size], [25, 75])
        link_s, fit_s = predicted_s(size, link_alpha, link_beta), predicted_s(size, alpha, beta)
        rows.append(
            {
                "mbit_per_s": mbit_per_s,
                "bytes": size,
                "median_s": median_s,
                "quartile_low_s": float(low),
                "quartile_high_s": float(high),
                "repeats": REPEATS,
                "modelled_link_s": link_s,
                "link_error": link_s / median_s - 1,
                "modelled_fit_s": fit_s,
                "fit_error": fit_s / median_s - 1,
                "used_in_fit": size in FITTED,
                "alpha_fit_s": alpha,
                "rate_fit_mbit_per_s": 8e-6 / beta,
            }
        )
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print the comparison."""
    print(f"{'link':>10} {'bytes':>9} {'measured':>10} {'from link':>17} {'from two sizes':>17}")
    for r in rows:
        print(
            f"{r['mbit_per_s']:>5g} Mb/s {r['bytes']:>9} {r['median_s'] * 1e3:>7.1f} ms"
            f" {r['modelled_link_s'] * 1e3:>7.1f} ms {r['link_error']:>+6.0%}"
            f" {r['modelled_fit_s'] * 1e3:>7.1f} ms {r['fit_error']:>+6.0%}"
            f"{' (fitted)' if r['used_in_fit'] else ''}"
        )


def main(results: Path) -> None:
    """Measure at every rate, compare, write, and check the network's gradient."""
    rows: list[dict[str, Any]] = []
    for rate, measured in zip(RATES_MBIT, measure(), strict=True):
        rows += compare(rate, measured)
    show(rows)
    results.mkdir(parents=True, exist_ok=True)
    (results / "links.json").write_text(
        json.dumps({"allreduce": rows, "provenance": provenance()}, indent=1)
    )
    table = pd.DataFrame(rows)
    table.to_csv(results / "links.csv", index=False)
    links_figure.save(table, results / "links.png")
    print(f"written: {results}/links.json, links.csv, links.png")
    for row in rows:
        if row["bytes"] == MODEL_BYTES and row["mbit_per_s"] < max(RATES_MBIT):
            for kind in ("link_error", "fit_error"):
                if abs(row[kind]) > TOLERANCE:
                    raise AssertionError(f"{kind} above {TOLERANCE:.0%}: {row}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tear down then, too
    main(Path(sys.argv[1]))
