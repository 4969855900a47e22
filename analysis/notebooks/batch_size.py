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
# # Batch size and the gradient noise scale
#
# **Question.** What does a large batch cost in data, what does it save in time, and can that be
# known in advance from the gradient noise?

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
report.runs_shown("data_cost", "growing_batch", "data_cost_again")

# %% [markdown]
# ## Method
#
# Every node count trains at its own tuned rate, with Adam and warm-up, to one budget of FOVs. The
# cost is the FOVs until F1 of the averaged weights reaches a target, evaluated every 500 FOVs.
# Steps and FOVs follow (S/Smin - 1)(E/Emin - 1) = 1 (McCandlish et al. 2018), whose fit gives the
# critical batch size. A run that ended before the target counts as needing more than it had
# (censored likelihood). Times on real nodes are **modeled**: FOVs of this study over the published
# throughput.

# %%
figure = report.figure("data_and_time")
display(figure, figure.caption)

# %% [markdown]
# ## Finding: data against time

# %%
report.findings("small_batch_data", "large_batch_time")

# %%
report.evidence("large_batch_time")

# %% [markdown]
# ## Finding: time, asked again
#
# Several runs on 64 nodes ended before the target. So 1 and 64 nodes were asked again on fresh
# seeds, 64 nodes with three times the FOVs.

# %%
report.findings("large_batch_time_again")

# %%
report.evidence("large_batch_time_again")

# %% [markdown]
# ## Every target

# %%
figure = report.figure("cost_to_target", "data_cost")
display(figure, figure.caption)

# %%
figure = report.figure("scores_vs_fovs", "data_cost")
display(figure, figure.caption)

# %% [markdown]
# ## Finding: the noise scale

# %%
figure = report.figure("noise_scale", "data_cost")
display(figure, figure.caption)

# %%
report.findings("noise_predicts_critical_batch")

# %%
report.evidence("noise_predicts_critical_batch")

# %% [markdown]
# ## Finding: growing the batch
#
# 4, 16, then 64 nodes in one training, against 4 and 64 nodes throughout.

# %%
figure = report.figure("growing_batch", "growing_batch")
display(figure, figure.caption)

# %%
report.findings("growing_batch_data", "growing_batch_time")

# %%
report.evidence("growing_batch_data")
