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
# # Your own data, from a volume to a segmentation
#
# Every step is a command as you would type it in a terminal. The volume is made here, with a known
# truth: sections of 30 nm with pixels of 8 nm, labeled in a box. A few minutes on two cores.
#
# For your own volume, name its files in the commands. What each option means stands in the tutorial
# `docs/tutorials/own-data.md`.

# %%
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from IPython.display import display
from PIL import Image

# FFN_SCALING_QUICK=1: a smaller volume and a budget that learns nothing, to try the steps only.
QUICK = os.environ.get("FFN_SCALING_QUICK") == "1"
SHAPE, BOX, FOVS = ("32 112 112", "2 8 8 30 104 104", 32000)
if QUICK:
    SHAPE, BOX, FOVS = ("20 64 64", "1 4 4 19 60 60", 64)

workspace = tempfile.TemporaryDirectory(prefix="own-data-")  # the last cell removes it
folder = Path(workspace.name).resolve()
# Not the tracking server: records go to the folder as well. And no colors, which Jupyter asks for.
left_out = ("MLFLOW_TRACKING_URI", "FORCE_COLOR", "CLICOLOR_FORCE")
environment = {k: v for k, v in os.environ.items() if k not in left_out} | {"COLUMNS": "100"}


def run(command: str) -> str:
    """Run a command in the folder, show what it prints, and return that."""
    words = shlex.split(command)
    done = subprocess.run(
        [sys.executable if words[0] == "python" else words[0], *words[1:]],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    shown = done.stdout.replace(str(folder), "FOLDER")
    print(f"$ {command}\n{shown}")
    done.check_returncode()
    return shown


def show(picture: Path) -> None:
    """Show a picture in this page, in few bytes."""
    with Image.open(picture) as image:
        small = image.convert("RGB")
    small.thumbnail((1000, 1000))
    display(small.quantize(64, dither=Image.Dither.NONE))


# %% [markdown]
# ## A volume
#
# Axes are in z, y, x order everywhere. The file holds the datasets `image` and `labels`.

# %%
_ = run(
    f"python -m experiments.data synthesize --shape {SHAPE} --voxel-size-nm 30 8 8 "
    f"--labels-box {BOX} --out vol.h5"
)
show(folder / "vol_preview.png")

# %% [markdown]
# ## Check it

# %%
_ = run("python -m experiments.data info --image vol.h5:image --labels vol.h5:labels")

# %% [markdown]
# ## Let a plan propose the options
#
# It ends with the complete command. Without `--untimed` it also times some steps and says how long
# the whole budget takes here.

# %%
plan = run("python -m experiments.data plan vol.h5:image vol.h5:labels --untimed")

# %% [markdown]
# ## Train
#
# The proposed command with two changes that bring it down to minutes: a smaller network, and a
# small budget.

# %%
proposed = shlex.split(plan.rstrip().splitlines()[-1])
options = dict(word.split("=", 1) for word in proposed[3:])
options |= {"model": "micro", "budget.fovs": str(FOVS), "validation.every_fovs": str(FOVS // 8)}
options |= {"validation.canvases": "4" if QUICK else "16"}
if QUICK:
    options["data.min_object_voxels"] = "100"
chosen = " ".join(shlex.quote(f"{option}={value}") for option, value in options.items())
_ = run(f"python -m experiments.train {chosen}")

# %% [markdown]
# ## Is it learning?
#
# Canvases held out for validation, before the first step and at the end: image, truth, what the
# network fills, and its F1.

# %%
run_folder = next((folder / "runs" / "default").iterdir())
pictures = sorted((run_folder / "canvases").glob("*.png"))
for picture in (pictures[0], pictures[-1]):
    print(picture.name)
    show(picture)

# %% [markdown]
# ## Segment, and score
#
# Without an image, the part that the run held out is segmented and scored against its labels. Small
# segments are dropped below `flood.min_segment_size`.

# %%
_ = run(
    f"python -m experiments.segment checkpoint={run_folder.name} flood.min_segment_size=100 "
    "processes=1"
)
segmentation = next((folder / "segmentations").iterdir())
for name in ("section.png", "surfaces.png"):
    if (segmentation / name).is_file():
        show(segmentation / name)

# %% [markdown]
# ## Take it elsewhere
#
# The network for other programs, and the segmentation for neuroglancer.

# %%
_ = run(f"python -m experiments.export {run_folder.name} --to onnx --out net.onnx")

# %%
_ = run(f"python -m experiments.export_neuroglancer segmentations/{segmentation.name}")

# %%
workspace.cleanup()
