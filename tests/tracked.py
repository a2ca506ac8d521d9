"""The files that are part of the project."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path


def tracked(repository: Path) -> list[Path]:
    """Every file under version control; in a copy without it, every file that is not of those it leaves out."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return list(unignored(repository))
    return [repository / name for name in listed.decode().split("\0") if name]


def unignored(repository: Path) -> Iterator[Path]:
    """The files that no line of ``.gitignore`` leaves out, by their name or by their place."""
    left_out = [line.rstrip("/") for line in (repository / ".gitignore").read_text().split()]

    def stays(place: Path) -> bool:
        path = place.relative_to(repository).as_posix()
        return place.name != ".git" and not any(fnmatch(place.name, line) or path == line for line in left_out)

    for folder, folders, files in os.walk(repository):
        folders[:] = sorted(name for name in folders if stays(Path(folder, name)))
        yield from (place for name in sorted(files) if stays(place := Path(folder, name)))
