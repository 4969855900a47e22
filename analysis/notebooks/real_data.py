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
# **Question.** Do the learning-rate rules differ on a real volume as they do on the synthetic one?

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
report.runs_shown("fib25_sweep")

# %% [markdown]
# ## Method
#
# FIB-25 (Takemura et al. 2015) downsampled twofold, a small network, linear and square-root scaling
# with warm-up at several node counts, all emulated. The budget is a small part of what real data
# need (the published study trained for more than a million FOVs), so that networks are poor and
# only differences between points mean anything.

# %%
figure = report.figure("recipes_vs_fovs", "fib25_sweep")
display(figure, figure.caption)

# %% [markdown]
# ## Finding

# %%
report.findings("sqrt_large_real")

# %%
report.evidence("sqrt_large_real")
