"""Where PostgreSQL's programs are run from."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from adapters.postgres import binaries, embedded, server_user
from tests.postgres.processes import AS_ROOT


def test_programs_out_of_reach_are_copied_to_where_the_server_user_can_run_them(tmp_path: Path) -> None:
    """Out of reach happens to root only: whoever runs the server as themselves runs the wheel's own files."""
    place = Path(tempfile.mkdtemp(prefix="whyleft-test-"))
    place.chmod(0o755)
    try:
        installed = binaries.find()
        user = server_user.choose(tmp_path / "none")
        packages = tmp_path / "closed"
        packages.mkdir(mode=0o700)
        for name in (binaries.PACKAGE, f"{binaries.PACKAGE}.libs"):
            shutil.copytree(installed.root.parents[1] / name, packages / name)
        hidden = binaries.Binaries(packages / binaries.PACKAGE / installed.root.name)
        found = binaries.reachable(hidden, user, [place / "copies"])
        assert found.root.is_relative_to(place if AS_ROOT else packages)
        asked = subprocess.run([found.initdb, "--version"], capture_output=True, **user.as_process_arguments())
        assert b" 18." in asked.stdout
        if AS_ROOT:
            (place / "copies").chmod(0o777)
            with pytest.raises(embedded.BinariesMissing):
                binaries.reachable(hidden, user, [place / "copies"])
    finally:
        shutil.rmtree(place)
