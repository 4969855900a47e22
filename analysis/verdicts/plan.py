"""The plan of the study, written before its runs: every claim, and what will decide it. Pure.

The judge reads its rules from here and nowhere else, so the commit that a study was begun with says
what its outcome could not change. The pilot (`tune_rates`, `tune_optimizers`, `fib25_gate`) sets
base rates and the target, in conf/tuned/study.yaml, and nothing else; its seeds are not used again.

One look, at the end. A claim is decided where the whole 95 % Student t interval of its effect over
seeds lies in the region that supports or that refutes it, and Holm's correction over its family
leaves it decided. Where `sign` says so, the co-primary score must also point the same way.

Later stages ask some claims again of fresh seeds: see `analysis.verdicts.asked_again`.
"""

from __future__ import annotations

from typing import Final

from analysis.verdicts.asked_again import second_stage, third_stage
from analysis.verdicts.claim import Claim, above, below, within
from ffn_core.metric_names import AVERAGED_AUC, AVERAGED_F1

PRIMARY: Final = AVERAGED_F1
CO_PRIMARY: Final = AVERAGED_AUC
LAST: Final = 4
"""A score is the mean of so many last evaluations."""

DEAD_BELOW: Final = 0.02
"""A run whose last `PRIMARY` lies below this has died: counted apart, never averaged."""

LEVEL: Final = 0.95

SMALL: Final = (4, 16)
LARGE: Final = (64,)
WARMUP_AT: Final = (16, 64)
MATTERS: Final = 0.02
"""Smallest difference in F1 that matters."""

MANY_DEATHS: Final = 0.5
"""Dying this much more often is what "dies" means."""

SAME_SCORE: Final = 0.03
AMONG_BEST: Final = 0.05
"""Adam may fall behind its best rival by this much F1 and still count as one of the best."""

SAME_SEGMENTATION: Final = 0.05
WORTH: Final = 1.1
"""A tenth more data or time is the least that matters."""

FACTOR: Final = 2.0
"""What predicts to within a factor of two is of use."""

PREDICTED_WITHIN: Final = 0.1
"""A model whose interval is wider than this to either side predicts nothing."""

PUBLISHED_CROSSOVER: Final = (16.0, 32.0)
"""Published: linear up to 16 nodes, square root from the next measured count, 32."""

_RULES: Final = "rules"
_COST: Final = "cost"
_OPTIMIZERS: Final = "optimizers"
_SEGMENTATION: Final = "segmentation"
_REAL: Final = "real data"
_SCALING: Final = "scaling"

_LINEAR_FIRST: Final = "linear scaling with warm-up up to 16 nodes, square-root scaling beyond"

_FIRST_STAGE: Final = (
    Claim(
        "rate_growth",
        "The best learning rate grows like the square root of the nodes rather than linearly",
        "best rates fall behind the linear line as nodes are added (learning-rate scan)",
        "0 tune",
        ("tune_rates",),
        "slope of log(best rate) against log(nodes), per tuning seed: 0.5 is square-root, 1 linear",
        below(0.75, apart=0.25),
        _RULES,
        seeds=3,
    ),
    Claim(
        "linear_small",
        "Linear scaling with warm-up wins over square-root scaling at small node counts (4 and 16)",
        _LINEAR_FIRST,
        "1 rules",
        ("rules",),
        "F1 of linear minus F1 of square-root scaling, surviving pairs, mean over nodes 4 and 16",
        above(0.0, MATTERS),
        _RULES,
        spread=0.03,
        sign=True,
    ),
    Claim(
        "sqrt_large",
        "Square-root scaling wins over linear scaling at 64 nodes",
        _LINEAR_FIRST,
        "1 rules",
        ("rules",),
        "F1 of square-root minus F1 of linear scaling at 64 nodes, surviving pairs",
        above(0.0, MATTERS),
        _RULES,
        spread=0.04,
        sign=True,
    ),
    Claim(
        "linear_dies",
        "At 64 nodes linear scaling dies where square-root scaling does not",
        _LINEAR_FIRST,
        "1 rules",
        ("rules",),
        "share of linear runs that died minus that of square-root runs, at 64 nodes, warmed up",
        above(0.0, MANY_DEATHS),
        _RULES,
        deaths=True,
    ),
    Claim(
        "unscaled_as_good",
        "Up to 64 nodes the rate of one node does as well as square-root scaling",
        "that the rate must grow with the nodes",
        "1 rules",
        ("rules",),
        "F1 unscaled minus F1 of square-root scaling, surviving pairs, mean over nodes 4, 16, 64",
        within(-SAME_SCORE, SAME_SCORE),
        _RULES,
        spread=0.023,
    ),
    Claim(
        "crossover",
        "The rules cross between 16 and 32 nodes, to a factor of two",
        _LINEAR_FIRST,
        "1 rules",
        ("rules",),
        "node count from which linear scaling is behind, in the mean over seeds",
        within(PUBLISHED_CROSSOVER[0] / FACTOR, PUBLISHED_CROSSOVER[1] * FACTOR),
        _RULES,
        ratio=True,
    ),
    Claim(
        "noise_predicts_crossover",
        "The gradient noise scale at convergence predicts the crossover to a factor of two",
        "the critical batch as the limit of linear scaling (McCandlish et al. 2018)",
        "1 rules",
        ("rules",),
        "global batch size at the crossover over the noise scale",
        within(1 / FACTOR, FACTOR),
        _RULES,
        ratio=True,
    ),
    Claim(
        "linear_low_base",
        "From a quarter of the tuned base rate linear scaling is as good as square-root scaling at"
        " 64 nodes: the crossover belongs to the base rate, not to the rule",
        _LINEAR_FIRST,
        "1b base",
        ("rules_low_base",),
        "F1 of linear minus F1 of square-root scaling at 64 nodes, both from a quarter of the base",
        above(-MATTERS),
        _RULES,
        spread=0.04,
    ),
    Claim(
        "linear_dies_base",
        "Linear runs at 64 nodes die from the tuned base rate and not from a quarter of it",
        _LINEAR_FIRST,
        "1b base",
        ("rules", "rules_low_base"),
        "share of linear runs at 64 nodes that died: tuned base minus a quarter of it",
        above(0.0, MANY_DEATHS),
        _RULES,
        deaths=True,
    ),
    Claim(
        "warmup_linear",
        "Warm-up matters for linear scaling at large node counts (16 and 64)",
        "warm-up is needed for large batches",
        "2 warm-up",
        ("rules", "no_warmup"),
        "F1 with minus F1 without warm-up of linear runs, surviving pairs, mean over nodes 16, 64",
        above(0.0, MATTERS),
        _RULES,
        spread=0.03,
        sign=True,
    ),
    Claim(
        "warmup_sqrt",
        "Warm-up matters for square-root scaling at large node counts (16 and 64)",
        "warm-up is needed for large batches",
        "2 warm-up",
        ("rules", "no_warmup"),
        "F1 with minus F1 without warm-up of square-root runs, surviving pairs, mean over nodes 16,"
        " 64",
        above(0.0, MATTERS),
        _RULES,
        spread=0.03,
        sign=True,
    ),
    Claim(
        "warmup_deaths",
        "Without warm-up linear scaling dies where it survives with it (64 nodes)",
        "warm-up is needed for large batches",
        "2 warm-up",
        ("rules", "no_warmup"),
        "share of linear runs that died at 64 nodes: without minus with warm-up",
        above(0.0, MANY_DEATHS),
        _RULES,
        deaths=True,
    ),
    Claim(
        "small_batch_data",
        "Small batches are more data-efficient than large ones",
        "F1 against FOVs: few nodes need fewer (batch-size study)",
        "3 data cost",
        ("data_cost",),
        "FOVs to the target F1 at 64 nodes over those at 1",
        above(1.0, WORTH),
        _COST,
        spread=0.3,
        ratio=True,
    ),
    Claim(
        "large_batch_time",
        "Large batches reach the target sooner on real nodes",
        "F1 against hours: many nodes are faster (batch-size study)",
        "3 data cost",
        ("data_cost",),
        "modeled time to the target F1 at 1 node over that at 64",
        above(1.0, WORTH),
        _COST,
        spread=0.3,
        ratio=True,
    ),
    Claim(
        "noise_predicts_critical_batch",
        "The gradient noise scale at convergence predicts the critical batch to a factor of two",
        "the simple noise scale as the critical batch (McCandlish et al. 2018)",
        "3 data cost",
        ("data_cost",),
        "fitted critical batch size over the noise scale",
        within(1 / FACTOR, FACTOR),
        _COST,
        ratio=True,
    ),
    Claim(
        "growing_batch_data",
        "Growing the batch (4, 16, then 64 nodes) takes fewer FOVs to the target than 64 nodes"
        " throughout",
        "small batches early and large ones late train more efficiently (project page)",
        "5 growing batch",
        ("growing_batch",),
        "FOVs to the target F1 at constant 64 nodes over those of the growing batch",
        above(1.0, WORTH),
        _COST,
        spread=0.3,
        ratio=True,
    ),
    Claim(
        "growing_batch_time",
        "Growing the batch (4, 16, then 64 nodes) reaches the target sooner on real nodes than 4"
        " nodes throughout",
        "small batches early and large ones late train more efficiently (project page)",
        "5 growing batch",
        ("growing_batch",),
        "modeled time to the target F1 at constant 4 nodes over that of the growing batch",
        above(1.0, WORTH),
        _COST,
        spread=0.3,
        ratio=True,
    ),
    Claim(
        "adam_best",
        "Adam is among the best optimizers at 64 nodes",
        "Adam chosen for large batches",
        "4 optimizers",
        ("optimizers_tuned",),
        "F1 of Adam minus F1 of the rival it beats least, each at its tuned rate, 64 nodes",
        above(-AMONG_BEST),
        _OPTIMIZERS,
        seeds=5,
        spread=0.04,
    ),
    Claim(
        "adaptive_survive",
        "Adaptive optimizers are better at 64 nodes than momentum, all at their tuned rates",
        "adaptive optimizers survive the large batch",
        "4 optimizers",
        ("optimizers_tuned",),
        "mean F1 of Adam, RMSprop, Adagrad and LAMB minus F1 of momentum, 64 nodes",
        above(0.0, MATTERS),
        _OPTIMIZERS,
        seeds=5,
        spread=0.03,
        sign=True,
    ),
    Claim(
        "segmentation_improves",
        "Segmentation improves along training",
        "errors fall with checkpoints (ARE and VOI along training)",
        "6 segments as well",
        ("segments",),
        "adapted Rand error over assigned voxels, first minus last third of the checkpoints",
        above(0.0, SAME_SEGMENTATION),
        _SEGMENTATION,
        seeds=5,
    ),
    Claim(
        "segmentation_at_scale",
        "Networks trained on 64 nodes segment as well as those trained on 4",
        "accuracy is kept at scale",
        "6 segments as well",
        ("segments",),
        "adapted Rand error over assigned voxels at 4 minus at 64 nodes, last third of checkpoints",
        within(-SAME_SEGMENTATION, SAME_SEGMENTATION),
        _SEGMENTATION,
        seeds=5,
    ),
    Claim(
        "coverage_at_scale",
        "Networks trained on 64 nodes segment as much of the volume as those trained on 4",
        "accuracy is kept at scale",
        "6 segments as well",
        ("segments",),
        "share of the foreground segmented at 64 minus at 4 nodes, last third of checkpoints",
        within(-SAME_SEGMENTATION, SAME_SEGMENTATION),
        _SEGMENTATION,
        seeds=5,
    ),
    Claim(
        "real_gate",
        "A network of the size these machines train learns FIB-25: it beats calling every voxel"
        " object",
        "training on FIB-25 passes F1 0.4 after 1e5 FOVs and continues",
        "7 real data",
        ("fib25_gate", "fib25_rules"),
        "F1 of square-root runs at 64 nodes minus that of calling every voxel object",
        above(0.0, apart=MATTERS),
        _REAL,
        seeds=3,
    ),
    Claim(
        "sqrt_large_real",
        "On FIB-25, too, square-root scaling wins over linear scaling at 64 nodes",
        _LINEAR_FIRST,
        "7 real data",
        ("fib25_rules",),
        "F1 of square-root minus F1 of linear scaling at 64 nodes, surviving pairs",
        above(0.0, MATTERS),
        _REAL,
        seeds=3,
        spread=0.04,
        sign=True,
    ),
)

CLAIMS: Final = (
    *_FIRST_STAGE,
    *second_stage(_FIRST_STAGE),
    *third_stage(_FIRST_STAGE),
    Claim(
        "coupling",
        "Training synchronously costs two real ranks at most a tenth of their throughput",
        "computation dominates the step, communication does not",
        "weak scaling",
        ("throughput",),
        "throughput of two coupled ranks over that of two uncoupled processes on the same cores",
        above(0.9, apart=0.05),
        _SCALING,
        seeds=3,
    ),
    Claim(
        "efficiency_1024",
        "Scaling models fitted to 1 to 512 nodes predict the efficiency at 1024 nodes, as read off"
        " the published figure",
        "weak-scaling efficiency up to 1024 nodes",
        "models of the published points",
        (),
        "modeled minus published efficiency at 1024 nodes",
        within(-PREDICTED_WITHIN, PREDICTED_WITHIN),
        None,
    ),
    Claim(
        "efficiency_2048",
        "Scaling models fitted to 1 to 1024 nodes predict the efficiency at 2048 nodes, 68 % in"
        " the abstract",
        "68 % of the ideal throughput on 2048 nodes",
        "models of the published points",
        (),
        "modeled minus published efficiency at 2048 nodes",
        within(-PREDICTED_WITHIN, PREDICTED_WITHIN),
        None,
    ),
    Claim(
        "efficiency_measured",
        "Weak scaling keeps the published share of the ideal throughput on 1024 real nodes",
        "71 % on 1024 nodes (published figure), 68 % on 2048 (abstract)",
        "weak scaling",
        (),
        "parallel efficiency at 1024 nodes",
        None,
        None,
        takes="1024 machines with a fast network for about an hour:"
        " `-m experiment=weak_scaling size=paper site=slurm`",
    ),
    Claim(
        "accuracy",
        "Training with Adam reaches an accuracy of 95 % in about 4.5 hours on 1024 nodes",
        "95 % in about 4.5 h on 1024 nodes (abstract)",
        "training curve",
        (),
        "hours to a training accuracy of 95 %",
        None,
        None,
        takes="about 4600 node-hours at the paper's size:"
        " `experiment=training_curve size=paper site=slurm cluster.nodes=1024`",
    ),
)

BY_KEY: Final = {claim.key: claim for claim in CLAIMS}
