"""Downloads that continue where they stopped and are refused when they are not what was wanted."""

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pooch

from ffn_core.errors import NO_PLACE, InputError, errno_of, file_error

TIMEOUT_S = 30.0
_CHUNK_BYTES = 256 * 1024

OnBytes = Callable[[int, int | None], None]
"""Called with the bytes at hand and the bytes in all, None if the server does not say."""


def download(
    url: str, path: Path, sha256: str | None = None, on_bytes: OnBytes | None = None
) -> Path:
    """Download a file unless it is there.

    What has arrived when a download is interrupted is kept beside ``path`` and not asked for again
    (HTTP range requests).

    Args:
        url: Address, http or https.
        path: Where the file will be; appears complete or not at all. What is there is never
            replaced.
        sha256: Hexadecimal checksum of the file; None takes what comes.
        on_bytes: Progress.

    Raises:
        InputError: No network, no such file, interrupted, another checksum, or another file is
            there.
    """
    if path.is_symlink() or path.exists():
        if sha256 is not None and _sha256(path) != sha256:
            raise InputError(
                f"{path} is there, and is not {url} (sha256 {sha256}); move it away and run the"
                " same command again, or name another folder"
            )
        return path
    pooch.get_logger().setLevel("WARNING")
    partial = path.with_name(f".{path.name}.part")

    def downloader(_: str, output_file: str, __: object) -> None:
        try:
            _resume(url, partial, on_bytes)
        except (OSError, http.client.HTTPException) as error:
            if errno_of(error) in NO_PLACE:
                raise file_error("write", path, error) from error
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            raise InputError(
                f"cannot download {url}: {reason}; is there a network? Run the same command again"
                " to continue where it stopped"
            ) from error
        partial.replace(output_file)

    known_hash = sha256 and f"sha256:{sha256}"
    try:
        pooch.retrieve(url, known_hash, path.name, path.parent, downloader=downloader)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"{url} is damaged or another version: its sha256 is not {sha256}; run the same command"
            " again, or take another source"
        ) from error
    return path


def _sha256(path: Path) -> str:
    """Checksum of a file; empty for anything else."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _resume(url: str, partial: Path, on_bytes: OnBytes | None) -> None:
    """Append to ``partial`` what is missing."""
    here = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={here}-"} if here else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            if response.status != http.HTTPStatus.PARTIAL_CONTENT:
                here = 0  # the server sends everything
            with partial.open("ab" if here else "wb") as file:
                _copy(response, file, here, on_bytes)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        # Nothing is missing, or the file on the server is a shorter one. The checksum tells.


def _copy(
    response: http.client.HTTPResponse, file: BinaryIO, here: int, on_bytes: OnBytes | None
) -> None:
    total = here + response.length if response.length is not None else None
    while chunk := response.read(_CHUNK_BYTES):
        file.write(chunk)
        here += len(chunk)
        if on_bytes is not None:
            on_bytes(here, total)
    if total is not None and here < total:
        raise http.client.HTTPException(f"connection closed after {here:,} of {total:,} bytes")
