"""``whyleft flows`` as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from adapters.postgres.engine import DatabaseUrls

PLAN = {
    "name": "remind",
    "trigger": {"on": "insight", "kind": "abandoned"},
    "start": "mail",
    "steps": {"mail": {"do": "send", "action": "send_email", "params": {"message": "cart_reminder"}}},
}


def whyleft(urls: DatabaseUrls, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"WHYLEFT_DATABASE_URL": urls.owner, "WHYLEFT_DATA_DIR": str(tmp_path), "COLUMNS": "120"}
    command = [sys.executable, "-c", "from insights.cli import main; main()", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_a_flow_is_validated_imported_published_and_exported(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    assert whyleft(database_urls, tmp_path, "keys", "create", "--project", "shop", "--kind", "secret").returncode == 0
    file = tmp_path / "flow.json"
    file.write_text(json.dumps(PLAN | {"start": "nowhere"}))
    wrong = whyleft(database_urls, tmp_path, "flows", "validate", str(file), "--project", "shop")
    assert wrong.returncode == 1 and "/start" in wrong.stderr
    refused = whyleft(database_urls, tmp_path, "flows", "import", str(file), "--project", "shop", "--publish")
    assert refused.returncode == 1
    assert "There is no flow" in whyleft(database_urls, tmp_path, "flows", "list", "--project", "shop").stdout
    file.write_text(json.dumps(PLAN))
    right = whyleft(database_urls, tmp_path, "flows", "import", str(file), "--project", "shop", "--publish")
    assert right.stdout == "remind is live, version 1.\n", right.stderr
    listed = whyleft(database_urls, tmp_path, "flows", "list", "--project", "shop").stdout
    assert "remind" in listed and "live" in listed
    exported = whyleft(database_urls, tmp_path, "flows", "export", "remind", "--project", "shop")
    assert json.loads(exported.stdout)["flow"]["start"] == "mail"
    (tmp_path / "none.json").write_text("{")
    broken = whyleft(database_urls, tmp_path, "flows", "validate", str(tmp_path / "none.json"), "--project", "shop")
    assert broken.returncode == 1 and "is not JSON" in broken.stderr
