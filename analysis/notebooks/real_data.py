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
# # Real electron microscopy
#
# **Question.** Does a network of the size these machines train learn a real volume, and do the
# learning-rate rules differ there as on the synthetic one?

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
report.runs_shown("fib25_gate", "fib25_rules")

# %% [markdown]
# ## Method
#
# FIB-25 (Takemura et al. 2015) downsampled twofold, a small network, 64 emulated nodes. First a
# gate: some rate must beat calling every voxel object. Only then are linear and square-root scaling
# compared. The budget is a small part of what real data need: the published study trained for more
# than a million FOVs.

# %%
figure = report.figure("recipes_vs_fovs", "fib25_gate")
display(figure, figure.caption)

# %%
figure = report.figure("recipes_vs_fovs", "fib25_rules")
display(figure, figure.caption)

# %% [markdown]
# ## Finding

# %%
report.findings("real_gate", "sqrt_large_real")

# %%
report.evidence("real_gate")
