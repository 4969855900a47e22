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
# # Weak and strong scaling
#
# **Question.** How far does throughput follow the nodes?

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
report.runs_shown("weak_scaling", "strong_scaling", "throughput")

# %% [markdown]
# ## Method
#
# Only real processes count here: an emulated node adds no hardware. Weak scaling keeps the work of
# a node, fps(N) / (N/N0 fps(N0)); strong scaling keeps the whole batch, T0 N0 / (T N). Beyond what
# was measured, scaling models fitted to the published throughput speak: **modeled**.

# %%
figure = report.figure("throughput", "weak_scaling")
display(figure, figure.caption)

# %%
figure = report.figure("parallel_efficiency", "weak_scaling")
display(figure, figure.caption)

# %%
figure = report.figure("phase_breakdown", "weak_scaling")
display(figure, figure.caption)

# %%
figure = report.figure("stragglers", "weak_scaling")
display(figure, figure.caption)

# %%
figure = report.figure("parallel_efficiency", "strong_scaling")
display(figure, figure.caption)

# %%
report.scaling("weak_scaling", "strong_scaling", "throughput")

# %% [markdown]
# ## Finding: efficiency at 1024 and 2048 nodes

# %%
figure = report.figure("scaling_models")
display(figure, figure.caption)

# %%
report.findings("efficiency_measured", "coupling", "efficiency_1024", "efficiency_2048")

# %%
report.evidence("efficiency_2048")
