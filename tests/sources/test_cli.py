"""`whyleft sources`: made, listed, revoked, without a secret on a command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.postgres.engine import DatabaseUrls
from insights.cli import app


class Command:
    """The program in this process."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def __call__(self, *arguments: str, input: str | None = None, fails: bool = False) -> str:
        done = CliRunner().invoke(app, arguments, input=input, env=self._environment)
        assert (done.exit_code != 0) == fails, done.output
        return done.output


@pytest.fixture
def whyleft(database_urls: DatabaseUrls, tmp_path: Path) -> Command:
    environment = {
        "WHYLEFT_DATABASE_URL": database_urls.app,
        "WHYLEFT_OWNER_DATABASE_URL": database_urls.owner,
        "WHYLEFT_DATA_DIR": str(tmp_path),
        "WHYLEFT_SECRET": "the secret of everything that this module seals",
        "WHYLEFT_PUBLIC_URL": "https://whyleft.shop.example/",
    }
    command = Command(environment)
    command("keys", "create", "--project", "shop", "--kind", "secret")
    return command


def test_a_source_is_made_listed_and_revoked(whyleft: Command) -> None:
    made = json.loads(
        whyleft(
            "sources",
            "create",
            "--project",
            "shop",
            "--provider",
            "shopify",
            "--secret-stdin",
            "--json",
            input="shpss_0123456789abcdef\n",
        )
    )
    assert made["secret"] is None
    assert made["url"].startswith("https://whyleft.shop.example/v1/webhooks/shopify/")
    listed = whyleft("sources", "list", "--project", "shop", "--json")
    assert "shpss" not in listed
    [source] = json.loads(listed)["sources"]
    assert (source["id"], source["url"], source["revoked_at"]) == (made["id"], made["url"], None)
    whyleft("sources", "revoke", "--project", "shop", made["id"])
    [source] = json.loads(whyleft("sources", "list", "--project", "shop", "--json"))["sources"]
    assert source["revoked_at"] is not None


def test_a_secret_is_made_and_shown_where_the_other_side_takes_one(whyleft: Command) -> None:
    made = json.loads(whyleft("sources", "create", "--project", "shop", "--provider", "generic", "--json"))
    assert made["secret"].startswith("whsec_")


def test_what_is_missing_is_said_in_a_sentence(whyleft: Command) -> None:
    unsigned = whyleft("sources", "create", "--project", "shop", "--provider", "shopify", fails=True)
    nobodys = whyleft("sources", "create", "--project", "nobody", "--provider", "braze", fails=True)
    missing = "01890000-0000-7000-8000-000000000000"
    unknown = whyleft("sources", "revoke", "--project", "shop", missing, fails=True)
    said = [" ".join(output.split()) for output in (unsigned, nobodys, unknown)]
    assert "secret: Shopify signs with its own secret; copy it" in said[0]
    assert "There is no project 'nobody'. Projects: shop." in said[1]
    assert f"There is no source {missing} in this project." in said[2]
