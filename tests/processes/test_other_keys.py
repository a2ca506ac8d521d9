"""What a process does on a database whose personal data was sealed with keys that it does not have."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from adapters.postgres.engine import Database
from adapters.postgres.personal import Ring
from insights.models import Visitor
from tests.e2e.server import WHYLEFT
from tests.processes.conftest import Installation
from tests.processes.started import environment

FORMER, OTHER = "the secret of the machine that was before", "a secret that another machine has made itself"


async def plant(installation: Installation) -> None:
    database = Database(installation.urls, ring=Ring([FORMER.encode()]))
    async with database.transaction(installation.project_id) as tx:
        seen = datetime.now(UTC)
        tx.add(Visitor(project_id=installation.project_id, id=uuid4(), first_seen_at=seen, email="ada@shop.example"))
    await database.close()


@pytest.mark.parametrize("arguments", [("api",), ("api", "--workers", "2"), ("worker",), ("serve",)], ids=" ".join)
async def test_it_refuses_to_start_and_says_what_to_set(installation: Installation, arguments: tuple[str, ...]) -> None:
    await plant(installation)
    process = installation.start(*arguments, WHYLEFT_SECRET=OTHER).process
    said = " ".join(process.communicate(timeout=120)[1].split())
    assert process.returncode == (1 if "--workers" in arguments else os.EX_CONFIG)
    assert "visitor.email" in said and "Set WHYLEFT_SECRET as it was" in said
    assert "process_died" not in said and "Traceback" not in said


async def test_with_the_former_secret_among_its_keys_or_given_up_it_starts(installation: Installation) -> None:
    await plant(installation)
    await installation.ready("worker", WHYLEFT_SECRET=FORMER)
    await installation.ready("worker", WHYLEFT_SECRET=OTHER, WHYLEFT_SEALING_KEYS=FORMER)
    lost = Ring([FORMER.encode()]).key()
    await installation.ready("worker", WHYLEFT_SECRET=OTHER, WHYLEFT_LOST_SEALS=lost)


async def test_a_command_that_would_find_nobody_says_why(installation: Installation) -> None:
    await plant(installation)
    command = [str(WHYLEFT), "privacy", "export", "--project", f"shop-{installation.data_dir.name}"]
    for secret, code in ((OTHER, os.EX_CONFIG), (FORMER, 0)):
        done = subprocess.run(  # noqa: ASYNC221
            [*command, "--email", "ada@shop.example"],
            env=environment(installation.urls, installation.data_dir, WHYLEFT_SECRET=secret),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert ("ada@shop.example" in done.stdout) == (code == 0)
