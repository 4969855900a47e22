"""Files that appear complete or not at all, and that say themselves whether they are whole."""

from ffn_core.files.folders import folder_of, inside
from ffn_core.files.whole import REPOSITORY, beside, digest, patient_file, whole_file, writing

__all__ = [
    "REPOSITORY",
    "beside",
    "digest",
    "folder_of",
    "inside",
    "patient_file",
    "whole_file",
    "writing",
]
