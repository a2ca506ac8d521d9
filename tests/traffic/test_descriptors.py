"""How many connections a process takes where it may have few file descriptors, each in a process of its own."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

ASK = (
    "import resource; from insights.serving.descriptors import connections_within; "
    "print(connections_within({wanted}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
)


def _ask(wanted: int, *limits: str) -> tuple[int, int, str]:
    """How many connections, how many descriptors, and the log."""
    asked = f"{' && '.join(limits)} && exec {shlex.join([sys.executable, '-c', ASK.format(wanted=wanted)])}"
    said = subprocess.run(["/bin/sh", "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    *log, figures = said.stdout.splitlines()
    connections, descriptors = figures.split()
    return int(connections), int(descriptors), "\n".join(log)


def test_what_the_connections_need_is_taken_of_what_the_system_allows() -> None:
    assert _ask(500, "ulimit -Sn 256", "ulimit -Hn 1000") == (500, 628, "")


def test_without_a_limit_all_of_it_is_taken() -> None:
    assert _ask(0, "ulimit -Sn 256", "ulimit -Hn 1000") == (872, 1000, "")


@pytest.mark.parametrize(("allowed", "room"), [(400, 272), (150, 75)])
def test_where_the_system_allows_too_few_there_are_fewer_connections_and_the_log_says_so(
    allowed: int, room: int
) -> None:
    connections, descriptors, log = _ask(500, f"ulimit -n {allowed}")
    assert (connections, descriptors) == (room, allowed)
    assert "few_file_descriptors" in log


def test_what_is_taken_already_is_kept() -> None:
    assert _ask(50, "ulimit -Sn 700", "ulimit -Hn 1000") == (50, 700, "")
