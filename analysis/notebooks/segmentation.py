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
# # Segmentation
#
# **Question.** Is the trained network any good at what it is for, and as good when trained on many
# nodes? F1 counts voxels of single canvases; segmentation joins them over a volume.

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
# `python -m experiments.segment_checkpoints` segments the held-out part of the volume with every
# checkpoint of a run and records adapted Rand error and variation of information. The
# claims read the error over voxels that belong to a segment, beside the share of the foreground
# that does (coverage).

# %%
figure = report.figure("evaluation", "segments")
display(figure, figure.caption)

# %%
figure = report.figure("segmentations", "segments")
display(figure, figure.caption)

# %% [markdown]
# ## Finding

# %%
report.findings("segmentation_improves", "segmentation_at_scale", "coverage_at_scale")

# %%
report.evidence("segmentation_improves")
