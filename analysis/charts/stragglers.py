"""Figure of who is slow and what the others lose by it."""

from __future__ import annotations

from analysis.charts.drawing import Drawing, panels, sentences
from analysis.plots import stragglers as plots
from analysis.runs.study import Material, NothingToDraw, describe_runs
from analysis.stats.step_time import slowest_shares, wait_table


def stragglers(material: Material) -> Drawing:
    """How often each rank was the slowest, and the wait for it against ranks."""
    finished = material.finished.dropna(subset=["straggler_wait_s", "step_s"])
    if finished.empty:
        raise NothingToDraw("no finished run recorded time/straggler_wait_s")
    shown = finished[finished["ranks"] > 1]
    if shown.empty:
        raise NothingToDraw("every finished run has one rank, which waits for nobody")
    records = material.curves("time/slowest_rank", shown)
    if records.empty:
        raise NothingToDraw("no finished run recorded time/slowest_rank")
    figure, (slowest, waits) = panels(2, height_in=2.6)
    shares = slowest_shares(records)
    plots.draw_shares(slowest, shares)
    slowest.legend(loc="best")
    single = shown.assign(share=shown["straggler_wait_s"] / shown["step_s"])
    plots.draw_waits(waits, wait_table(shown), single)
    counts = shares.drop_duplicates("ranks").set_index("ranks")["records"]
    listed = ", ".join(f"{n} on {ranks} ranks" for ranks, n in counts.items())
    caption = sentences(
        "Left: how often each rank was the slowest of a record (its own time, without waiting),"
        f" over the share that chance would give it (dotted); records: {listed}.",
        "Right: mean over ranks of the time spent waiting for the slowest rank before the"
        " allreduce, as a share of the step; means over runs with 95 % t intervals where there are"
        " repeats, small points: runs. Runs on one rank are left out.",
        "Times are those of the ranks, whether they carry one node each or several emulated ones."
        if shown["emulated"].any()
        else "",
        describe_runs(shown),
    )
    return Drawing(figure, caption)
