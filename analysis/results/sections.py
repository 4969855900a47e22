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
    """

    key: str
    title: str
    question: str
    studies: tuple[str, ...]
    figures: tuple[tuple[str, str | None], ...]
    claims: tuple[str, ...]


SECTIONS = (
    Section(
        "learning_rate_rules",
        "Learning-rate rules and warm-up",
        "Which rule should set the learning rate at which node count, and does it need a warm-up?",
        ("rules", "rules_low_base", "no_warmup", "tune_rates", "lr_rules", "lr_scan"),
        (
            ("final_scores", None),
            ("rule_differences", None),
            ("recipes_vs_fovs", "lr_rules"),
            ("learning_rate", "lr_scan"),
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
            "rate_growth",
        ),
    ),
    Section(
        "batch_size",
        "Batch size and the gradient noise scale",
        "What does a large batch cost in data, what does it save in time, and can that be predicted"
        " from the gradient noise?",
        ("data_cost", "growing_batch", "batch_size", "lr_rules"),
        (
            ("data_and_time", None),
            ("cost_to_target", "batch_size"),
            ("time_vs_cost", "batch_size"),
            ("scores_vs_fovs", "batch_size"),
            ("scores_vs_time", "batch_size"),
            ("noise_scale", "batch_size"),
        ),
        (
            "small_batch_data",
            "large_batch_time",
            "noise_predicts_critical_batch",
            "growing_batch_data",
            "growing_batch_time",
        ),
    ),
    Section(
        "optimizers",
        "Optimizers",
        "Which optimizer survives the large batch?",
        ("optimizers_tuned", "optimizers"),
        (("optimizers", None),),
        ("adam_best", "adaptive_survive"),
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
    ),
    Section(
        "prediction",
        "How many nodes for a target?",
        "How many nodes does a target take within a time, and at what cost in node-hours?",
        ("batch_size",),
        (("prediction", None),),
        (),
    ),
    Section(
        "training_curve",
        "Accuracy along training",
        "How fast do accuracy and F1 rise, and how much do repeats differ?",
        ("training_curve",),
        (("training_curve", "training_curve"),),
        ("accuracy",),
    ),
    Section(
        "segmentation",
        "Segmentation",
        "Is the trained network any good, and as good when trained on many nodes?",
        ("segments", "checkpoints"),
        (("evaluation", "checkpoints"), ("segmentations", "checkpoints")),
        ("segmentation_improves", "segmentation_at_scale", "coverage_at_scale"),
    ),
    Section(
        "real_data",
        "Real electron microscopy",
        "Do the learning-rate rules differ on a real volume as they do on the synthetic one? "
        "FIB-25, downsampled twofold, with a small network: the budget is a small part of what "
        "real data need, so only differences between points mean anything.",
        ("fib25_gate", "fib25_rules", "fib25_sweep"),
        (("recipes_vs_fovs", "fib25_sweep"),),
        ("real_gate", "sqrt_large_real"),
    ),
)
