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
report.runs_shown("lr_rules", "lr_scan")

# %% [markdown]
# ## Method
#
# The same network is trained on the same number of FOVs at several node counts, with the rate of
# one node unscaled, multiplied by the nodes, or by their square root, with and without a linear
# ramp over the first tenth of the budget. A run is scored by the mean validation F1 of its last
# evaluations, since single ones swing. Rules are compared seed by seed. Nodes are emulated: the
# optimizer takes the steps that so many real nodes would.

# %%
figure = report.figure("final_scores")
display(figure, figure.caption)

# %%
figure = report.figure("rule_differences")
display(figure, figure.caption)

# %% [markdown]
# ## Finding: which rule where

# %%
report.findings("linear_small", "sqrt_large", "crossover")

# %%
report.evidence("linear_small")

# %% [markdown]
# ## Finding: does the gradient noise scale tell the crossover?
#
# Below a batch of about the noise scale, gradients of more nodes add up like independent
# information; beyond it they repeat each other, and the rate must not grow in proportion any more.

# %%
report.findings("noise_predicts_crossover")

# %%
report.evidence("noise_predicts_crossover")

# %% [markdown]
# ## Finding: warm-up

# %%
report.findings("warmup_linear", "warmup_sqrt")

# %%
report.evidence("warmup_linear")

# %% [markdown]
# ## Along training

# %%
figure = report.figure("recipes_vs_fovs", "lr_rules")
display(figure, figure.caption)

# %% [markdown]
# ## The best rate of a scan
#
# The scan tries several rates at every node count, without warm-up. A best rate at the edge of
# what was tried may lie beyond it.

# %%
figure = report.figure("learning_rate", "lr_scan")
display(figure, figure.caption)

# %%
report.findings("rate_growth")

# %%
report.evidence("rate_growth")
