"""The scripts that the SDK is measured beside: fetched from npm at pinned versions, bundled once a run."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tarfile
from pathlib import Path

HERE = Path(__file__).parent
UMAMI = "umami@2.10.0"
UMAMI_SHA512 = "+lmrnV0751R6U2rkIgVAlE1nWI7yZawlMlJDguW9tlFacCKhnGeCyc7tCMIhNNYIiGIQy4DEX5IzJhm4b3+dPA=="
"""Its package is the whole application; only the source of its tracker is taken out, none of its dependencies."""


class PeersMissing(Exception):
    """npm could not bring the scripts: the network is off, or node is missing. The text says which step failed."""


def built(out: Path) -> dict[str, int]:
    """Puts a script a peer into ``out`` and returns each one's gzip bytes. Raises PeersMissing."""
    if not (HERE / "node_modules" / ".package-lock.json").is_file():
        _run("npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=HERE)
    sizes: dict[str, int] = json.loads(_run("node", "build.mjs", _umami(out), str(out), cwd=HERE))
    return sizes


def _umami(out: Path) -> str:
    try:
        archive = out / _run("npm", "pack", "--silent", UMAMI, cwd=out).strip().splitlines()[-1]
    except PeersMissing:
        return ""
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != UMAMI_SHA512:
        raise PeersMissing(f"{UMAMI} is not the package that was pinned: its sha512 is {digest}.")
    with tarfile.open(archive) as packed:
        source = packed.extractfile("package/src/tracker/index.js")
        assert source is not None
        target = out / "umami-source.js"
        target.write_bytes(source.read())
    return str(target)


def _run(*command: str, cwd: Path) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeersMissing(f"{' '.join(command[:2])}: {error}") from error
    if done.returncode:
        raise PeersMissing(f"{' '.join(command[:2])} failed: {done.stderr.strip()[-300:]}")
    return done.stdout
