"""The claim about how the best learning rate grows with the nodes. Pure."""

from __future__ import annotations

from typing import Final

import pandas as pd

from analysis.claims.scored_runs import Studies, describe, scored_points, with_warmup
from analysis.claims.verdict import MEASURED, UNDECIDED, UNKNOWN, Verdict, decide
from analysis.reference import published
from analysis.stats.intervals import Interval
from analysis.stats.learning_rates import best_rates, fit_power_law, normalized_accuracy

STUDIES: Final = ("lr_scan", "lr_rules")
"""`lr_rules` adds the unscaled, square-root and linear rates to the scan's."""

LEAST_RATES: Final = 3
LEAST_COUNTS: Final = 3
HALF_WAY: Final = 0.75
_KEY: Final = "rate_growth"


def rate_growth_verdicts(studies: Studies) -> list[Verdict]:
    """The best rate grows more like the square root of the nodes than linearly."""
    claim = "The best learning rate grows like the square root of the nodes rather than linearly"
    measure = "slope of log(best rate) against log(nodes): 0.5 is square-root, 1 linear"
    rule = (
        f"supported: interval below {HALF_WAY}; not supported: interval above it; the interval is "
        "that of the fitted slope (Student t over node counts)"
    )
    points = scan_points(studies)
    best = best_rate_table(points, "score")
    reference = published_best_rates()
    evidence = pd.concat([best.assign(source="this study"), reference], ignore_index=True)
    if len(best) < LEAST_COUNTS:
        reason = (
            f"it takes {LEAST_RATES} rates at each of {LEAST_COUNTS} node counts: "
            f"{describe(points)}"
        )
        return [Verdict(_KEY, claim, UNDECIDED, UNKNOWN, measure, rule, MEASURED, reason, evidence)]
    effect = slope(best)
    # Oriented so that a large value speaks for the claim.
    turned = Interval(-effect.estimate, -effect.high, -effect.low, effect.count)
    verdict = decide(turned, supported_above=-HALF_WAY, refuted_below=-HALF_WAY)
    edges = ", ".join(str(n) for n in best.loc[best["at_edge"], "nodes"])
    basis = describe(points)
    if edges:
        basis += f"; the best rate is at the edge of those tried at nodes {edges}"
    return [Verdict(_KEY, claim, verdict, effect, measure, rule, MEASURED, basis, evidence)]


def scan_points(studies: Studies) -> pd.DataFrame:
    """Adam without warm-up at every rate tried."""
    points = with_warmup(scored_points(studies, *STUDIES), warm=False)
    return points[points["optimizer"] == "adam"]


def best_rate_table(points: pd.DataFrame, score: str) -> pd.DataFrame:
    """Best rate per node count at which enough rates were tried: nodes, lr_peak, at_edge, rates.

    Args:
        points: columns nodes, lr_peak and the score; repeats of a rate are averaged.
        score: column that is best where it is highest.
    """
    # Rates that differ by less than a millionth are one rate, written differently.
    rounded = points.assign(lr_peak=points["lr_peak"].map(lambda rate: float(f"{rate:.5e}")))
    table = normalized_accuracy(rounded.rename(columns={score: "accuracy"}))
    table["rates"] = table.groupby("nodes")["lr_peak"].transform("count")
    best = best_rates(table[table["rates"] >= LEAST_RATES].reset_index(drop=True))
    columns = {"nodes": "nodes", "lr_peak": "lr_peak", "accuracy": "score", "at_edge": "at_edge"}
    return best.rename(columns=columns)[[*columns.values(), "rates"]]


def published_best_rates() -> pd.DataFrame:
    """The same of the published scan, whose score is the normalized accuracy."""
    scan = published.learning_rate_scan().rename(columns={"learning_rate": "lr_peak"})
    return best_rate_table(scan, "normalized_accuracy").assign(source="published")


def slope(best: pd.DataFrame) -> Interval:
    """Exponent of the best rate with its t interval over node counts."""
    law = fit_power_law(best["nodes"].to_numpy(float), best["lr_peak"].to_numpy(float))
    return Interval(law.exponent, law.exponent_low, law.exponent_high, law.count)
