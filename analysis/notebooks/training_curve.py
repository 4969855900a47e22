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
# # Accuracy along training
#
# **Question.** How fast do accuracy and F1 rise, and how much do repeats differ?

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
report.runs_shown("segments")

# %% [markdown]
# ## Method
#
# One recipe (Adam, warm-up, its tuned rate) repeated with several seeds on one node count.
# Time is that of training alone; on emulated nodes it is the time of the processes that carried
# them. The published study trained a larger network, on real data, for hours on 1024 nodes: its
# level is no measure of a small run, its shape is.

# %%
figure = report.figure("training_curve", "segments")
display(figure, figure.caption)

# %% [markdown]
# ## Finding

# %%
report.findings("accuracy")

# %%
report.evidence("accuracy")
