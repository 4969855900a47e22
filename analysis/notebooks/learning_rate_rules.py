# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Learning-rate rules and warm-up
#
# **Question.** Which rule should set the learning rate at which node count, and does it need a
# warm-up? The published study found linear scaling with warm-up best up to 16 nodes and square-
# root scaling beyond.

# %%
from IPython.display import display

from analysis.results.own_experiment import open_report

# The name of an experiment of yours, such as "demo_sweep": this page is then about its runs.
# None: FFN_SCALING_EXPERIMENT where set, else the studies named below.
EXPERIMENT = None
# Where it is: "sqlite:////absolute/mlflow.db". None: FFN_SCALING_STORE where set, else your
# mlflow.db for an experiment, and the recorded studies without one.
STORE = None

report = open_report(STORE, EXPERIMENT)

# %%
report.runs_shown("rules", "rules_low_base", "no_warmup", "rules_again", "rules_small_again")

# %% [markdown]
# ## Method
#
# The same network is trained on the same number of FOVs at several node counts, with the rate of
# one node unscaled, multiplied by the nodes, or by their square root, with and without a linear
# ramp over the first tenth of the budget. The rate of one node is the one that the pilot found
# best, or a quarter of it. A run is scored by the F1 of its averaged weights, mean of the last
# four evaluations. Rules are compared seed by seed. Nodes are emulated: the optimizer takes the
# steps that so many real nodes would.

# %%
figure = report.figure("final_scores")
display(figure, figure.caption)

# %%
figure = report.figure("rule_differences")
display(figure, figure.caption)

# %% [markdown]
# ## Finding: which rule where

# %%
report.findings("linear_small", "sqrt_large", "linear_dies", "unscaled_as_good", "crossover")

# %%
report.evidence("linear_small")

# %% [markdown]
# ## Finding: does the crossover belong to the rule or to the base rate?

# %%
report.findings("linear_low_base", "linear_dies_base")

# %%
report.evidence("linear_dies_base")

# %% [markdown]
# ## Finding: does the gradient noise scale predict the crossover?
#
# Below a batch of about the noise scale, gradients of more nodes add up like independent
# information. Beyond it they repeat each other, and the rate must not grow in proportion any more.

# %%
report.findings("noise_predicts_crossover")

# %%
report.evidence("noise_predicts_crossover")

# %% [markdown]
# ## Finding: warm-up

# %%
report.findings("warmup_linear", "warmup_sqrt", "warmup_deaths")

# %%
report.evidence("warmup_linear")

# %% [markdown]
# ## Finding: the second stage
#
# Four claims about 64 nodes were asked again on fresh seeds, because the first stage left them
# open. Only the fresh seeds count here.

# %%
report.findings(
    "sqrt_large_again", "linear_dies_again", "linear_dies_base_again", "warmup_deaths_again"
)

# %%
report.evidence("warmup_deaths_again")

# %% [markdown]
# ## Finding: the third stage
#
# The claim about few nodes was asked again on fresh seeds.

# %%
report.findings("linear_small_again")

# %%
report.evidence("linear_small_again")

# %% [markdown]
# ## Along training

# %%
figure = report.figure("recipes_vs_fovs", "rules")
display(figure, figure.caption)
