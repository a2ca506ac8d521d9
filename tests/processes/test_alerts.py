"""The alerts of examples/prometheus: of metrics that there are, and loud when they should be."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.processes.conftest import Installation

PROMTOOL = shutil.which("promtool")


@pytest.fixture
def example(repository: Path) -> Path:
    return repository / "examples" / "prometheus"


async def test_every_metric_that_an_alert_asks_for_is_there(example: Path, installation: Installation) -> None:
    asked = set(re.findall(r"\bwhyleft_\w+", (example / "alerts.yml").read_text()))
    assert len(asked) > 5
    process = await installation.ready("worker")
    told = await process.metrics()
    named = set(re.findall(r"^# TYPE (\w+)", told, re.MULTILINE))
    assert {name.removesuffix("_bucket") for name in asked} <= named


def promtool(*arguments: str, given: str | None = None) -> None:
    """What it is asked must be as it should."""
    if PROMTOOL is None:
        pytest.skip("promtool is not here (Debian: apt install prometheus)")
    ran = subprocess.run([PROMTOOL, *arguments], input=given, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_is_loud_when_it_should_be_and_then_alone(example: Path, tmp_path: Path) -> None:
    promtool("check", "config", str(example / "prometheus.yml"))
    cases = tmp_path / "alerts.test.yml"
    text = (Path(__file__).parent / "alerts.yml").read_text()
    cases.write_text(text.replace("[ALERTS]", f"[{example / 'alerts.yml'}]"))
    promtool("test", "rules", str(cases))


async def test_prometheus_finds_nothing_wrong_with_what_a_process_tells(installation: Installation) -> None:
    told = await (await installation.ready("worker")).metrics()
    await asyncio.to_thread(promtool, "check", "metrics", given=told)
