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
# # The best learning rate
#
# **Question.** How does the best learning rate grow with the nodes, and does the gradient noise
# scale say where its growth ends?

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
report.runs_shown("tune_rates")

# %% [markdown]
# ## Method
#
# One grid of rates, the same at every node count, so that the grid itself cannot suggest a law.
# The best rate is the vertex of a parabola through the scores around the highest one. Laws are
# fitted to its logarithm and compared by AICc. A best rate at the edge of the grid, or next to a
# rate at which runs die, is a bound.

# %%
figure = report.figure("rate_scores")
display(figure, figure.caption)

# %%
figure = report.figure("learning_rate", "tune_rates")
display(figure, figure.caption)

# %% [markdown]
# ## Finding

# %%
figure = report.figure("learning_rate_laws", "tune_rates")
display(figure, figure.caption)

# %%
report.laws("tune_rates")

# %%
report.findings("rate_growth")

# %%
report.evidence("rate_growth")
