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
# # How many nodes?
#
# **Question.** How many nodes reach a target F1 in a given time, and what do they cost? The
# command `python -m analysis.predict --f1 F1 --hours H` answers it for your own runs.

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
report.runs_shown("data_cost")

# %% [markdown]
# ## Method
#
# Hours on N nodes are FOVs to the target at the batch of N nodes over FOVs per second of N nodes.
# The first half is fitted to the recorded runs, the second to the published throughput of KNL
# nodes. All of it is **modeled**, for the small network of the recorded study: shapes and ratios
# carry over, hours do not.

# %% [markdown]
# ## Figure and finding

# %%
figure = report.figure("prediction")
display(figure, figure.caption)

# %% [markdown]
# ## How sure is the fit?

# %%
report.findings("small_batch_data", "noise_predicts_critical_batch")

# %%
report.evidence("small_batch_data")
