"""MkDocs hook: pictures and pages that lie elsewhere in the repository."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).parents[1]
PICTURES = ("analysis/gallery", "analysis/recorded/figures", "analysis/recorded/proofs")
PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "RESULTS.md": "verdicts.md",
}


def on_files(files: Files, config: Any) -> Files:
    """Add every picture of `PICTURES` as ``images/NAME.png``, and the pages of `PAGES`."""
    for folder in PICTURES:
        for path in sorted((REPOSITORY / folder).glob("*.png")):
            files.append(File.generated(config, f"images/{path.name}", abs_src_path=str(path)))
    for name, page in PAGES.items():
        text = for_site((REPOSITORY / name).read_text())
        files.append(File.generated(config, page, content=text))
    return files


def for_site(text: str) -> str:
    """A page of the repository with the site's pictures, its links to files as plain names."""
    text = re.sub(r"\]\(analysis/[\w/]+/([\w.-]+\.png)\)", r"](images/\1)", text)
    text = re.sub(r"\]\(docs/([\w/-]+\.md)\)", r"](\1)", text)
    for name, page in PAGES.items():
        text = text.replace(f"]({name})", f"]({page})")
    return re.sub(r"(?<!!)\[([^]]+)\]\((?!https?:|#|images/|[\w/-]+\.md\))[^)]+\)", r"\1", text)
