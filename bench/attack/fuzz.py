"""Lets schemathesis loose on every operation of the OpenAPI document of a running server, with one kind of key."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
[checks]
# A key without the right is refused, and so is what fits the schema and makes no sense: an id of nothing, a condition
# on a field that does not exist. What is never right is a fault of ours.
positive_data_acceptance.expected-statuses = [
    "2xx", "400", "401", "403", "404", "409", "410", "412", "413", "422", "428", "503"
]
# A revoked key and an archived project can still be seen, as revoked and archived.
use_after_free.enabled = false
"""


# Only where ids of earlier answers are asked for again: a key that revokes itself asks nothing more.
_SUICIDES = ("--exclude-path", "/v1/keys/{key_id}", "--exclude-path", "/v1/keys/{key_id}/rotate")


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What came of a run. ``faults``: one sentence each."""

    operations: int
    cases: int
    faults: tuple[str, ...]


async def fuzz(
    url: str,
    headers: Mapping[str, str],
    *,
    seed: int,
    examples: int,
    phases: Sequence[str],
) -> Fuzzed:
    """Tries each operation in each phase, ``examples`` times where cases are made up. ``headers`` as the document
    spells them: it takes the key away, too, and sees that nothing is answered. Raises RuntimeError when a phase was
    not gone through.

    Answers of 5xx, undocumented statuses, bodies that are not as documented, accepted nonsense, and methods that answer
    though they are not there are faults.
    """
    with tempfile.TemporaryDirectory() as folder:
        config, report = Path(folder) / "schemathesis.toml", Path(folder) / "report.json"
        config.write_text(_CONFIG)
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file",
            str(config),
            "run",
            f"{url}/openapi.json",
            *[part for name, value in headers.items() for part in ("-H", f"{name}: {value}")],
            *["--seed", str(seed), "-n", str(examples), "--phases", ",".join(phases)],
            *["--continue-on-failure", "--no-shrink", "--generation-database", "none", "--warnings", "off"],
            *(_SUICIDES if "stateful" in phases else ()),
            *["--report", "json", "--report-json-path", str(report)],
        ]
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={**os.environ, "NO_COLOR": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await process.communicate())[0].decode(errors="replace")
        if not report.exists():
            raise RuntimeError(f"schemathesis did not run: {said[-2000:]}")
        document = json.loads(report.read_text())
    # Errors of its own are none of ours: a case that it could not make asked nothing.
    ended = {phase: document["phases"][phase]["status"] for phase in phases}
    if cut := [f"{phase} ({how})" for phase, how in ended.items() if how not in ("success", "failure", "error")]:
        raise RuntimeError(f"schemathesis did not go through: {', '.join(cut)}")
    faults = tuple(f"{failure['title']}: {', '.join(failure['operations'])}" for failure in document["failures"])
    return Fuzzed(int(document["operations"]["tested"]), int(document["test_cases"]["generated"]), faults)
