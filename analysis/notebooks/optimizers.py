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
# # Optimizers
#
# **Question.** Which optimizer is best at the large batch? The published study chose Adam.

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
report.runs_shown("tune_optimizers", "optimizers_tuned", "optimizers_again")

# %% [markdown]
# ## Method
#
# Every optimizer trains at the rate that the pilot found best for it at that node count, with
# warm-up. The pilot tried five rates of each optimizer; its seeds are not used again.

# %%
figure = report.figure("optimizers")
display(figure, figure.caption)

# %% [markdown]
# ## Finding

# %%
report.findings("adam_best", "adaptive_survive")

# %%
report.evidence("adam_best")

# %% [markdown]
# ## Finding: asked again
#
# At the rate of one tuning seed, no run of Adagrad survived. So all optimizers were asked again on
# fresh seeds, at the rates of both tuning seeds.

# %%
report.findings("adam_best_again", "adaptive_survive_again")

# %%
report.evidence("adam_best_again")
