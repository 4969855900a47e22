"""The questions of the results page: their figures and the claims they decide."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """One question.

    Attributes:
        key: name of its notebook.
        title: heading.
        question: what is asked, in a sentence or two.
        studies: whose runs answer it.
        figures: (figure, study or None for a figure over several) in order.
        claims: keys of the verdicts.
        laws: study whose best learning rates the laws are fitted to; empty for none.
        real: whether its studies measure real nodes, which a table shows.
    """

    key: str
    title: str
    question: str
    studies: tuple[str, ...]
    figures: tuple[tuple[str, str | None], ...]
    claims: tuple[str, ...]
    laws: str = ""
    real: bool = False


SECTIONS = (
    Section(
        "learning_rate_rules",
        "Learning-rate rules and warm-up",
        "Which rule should set the learning rate at which node count, and does it need a warm-up?",
        ("rules", "rules_low_base", "no_warmup", "rules_again", "rules_small_again"),
        (
            ("final_scores", None),
            ("rule_differences", None),
            ("recipes_vs_fovs", "rules"),
        ),
        (
            "linear_small",
            "sqrt_large",
            "linear_dies",
            "unscaled_as_good",
            "crossover",
            "noise_predicts_crossover",
            "linear_low_base",
            "linear_dies_base",
            "warmup_linear",
            "warmup_sqrt",
            "warmup_deaths",
            "sqrt_large_again",
            "linear_dies_again",
            "linear_dies_base_again",
            "warmup_deaths_again",
            "linear_small_again",
        ),
    ),
    Section(
        "learning_rate_laws",
        "The best learning rate",
        "How does the best learning rate grow with the nodes, and does the gradient noise scale say"
        " where its growth ends?",
        ("tune_rates",),
        (
            ("rate_scores", None),
            ("learning_rate", "tune_rates"),
            ("learning_rate_laws", "tune_rates"),
        ),
        ("rate_growth",),
        laws="tune_rates",
    ),
    Section(
        "batch_size",
        "Batch size and the gradient noise scale",
        "What does a large batch cost in data, what does it save in time, and can that be predicted"
        " from the gradient noise?",
        ("data_cost", "growing_batch", "data_cost_again"),
        (
            ("data_and_time", None),
            ("cost_to_target", "data_cost"),
            ("scores_vs_fovs", "data_cost"),
            ("noise_scale", "data_cost"),
            ("growing_batch", "growing_batch"),
        ),
        (
            "small_batch_data",
            "large_batch_time",
            "noise_predicts_critical_batch",
            "growing_batch_data",
            "growing_batch_time",
            "large_batch_time_again",
        ),
    ),
    Section(
        "optimizers",
        "Optimizers",
        "Which optimizer is best at the large batch, each at its own rate?",
        ("tune_optimizers", "optimizers_tuned", "optimizers_again"),
        (("optimizers", None),),
        ("adam_best", "adaptive_survive", "adam_best_again", "adaptive_survive_again"),
    ),
    Section(
        "scaling",
        "Weak and strong scaling",
        "How far does throughput follow the nodes?",
        ("weak_scaling", "strong_scaling", "throughput"),
        (
            ("throughput", "weak_scaling"),
            ("parallel_efficiency", "weak_scaling"),
            ("phase_breakdown", "weak_scaling"),
            ("stragglers", "weak_scaling"),
            ("parallel_efficiency", "strong_scaling"),
            ("scaling_models", None),
        ),
        ("efficiency_measured", "coupling", "efficiency_1024", "efficiency_2048"),
        real=True,
    ),
    Section(
        "prediction",
        "How many nodes for a target?",
        "How many nodes does a target take within a time, and at what cost in node-hours?",
        ("data_cost",),
        (("prediction", None),),
        (),
    ),
    Section(
        "training_curve",
        "Accuracy along training",
        "How fast do accuracy and F1 rise, and how much do repeats differ?",
        ("segments",),
        (("training_curve", "segments"),),
        ("accuracy",),
    ),
    Section(
        "segmentation",
        "Segmentation",
        "Is the trained network any good, and as good when trained on many nodes?",
        ("segments",),
        (("evaluation", "segments"), ("segmentations", "segments")),
        ("segmentation_improves", "segmentation_at_scale", "coverage_at_scale"),
    ),
    Section(
        "real_data",
        "Real electron microscopy",
        "Does a network of the size these machines train learn real data (FIB-25, downsampled"
        " twofold), and do the learning-rate rules differ there as on the synthetic volume?",
        ("fib25_gate", "fib25_rules"),
        (("recipes_vs_fovs", "fib25_gate"), ("recipes_vs_fovs", "fib25_rules")),
        ("real_gate", "sqrt_large_real"),
    ),
)
