"""Lists in a terminal: every value whole, and none of them an order to the terminal."""

from __future__ import annotations

import sys

import pytest

from insights.cli.listing import Listing

ID = "01a20021-4f6f-7da6-b813-e6c29fe97ba2"


def listed(*values: str) -> Listing:
    made = Listing("id", "name", "posts to")
    made.add(*values)
    return made


@pytest.mark.parametrize("terminal", [True, False])
def test_an_id_is_whole_in_a_narrow_window_and_in_a_pipe(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    address = "https://whyleft.shop.example/v1/webhooks/shopify/" + "x" * 40
    listed(ID, "orders", address).show("Nothing.")
    lines = capsys.readouterr().out.splitlines()
    assert any(ID in line for line in lines) and any(address in line for line in lines)
    assert any(ID in line and address in line for line in lines) is not terminal


def test_what_a_stranger_wrote_gives_the_terminal_no_orders(capsys: pytest.CaptureFixture[str]) -> None:
    listed(ID, "a\x1b[2Jb\nc [bold]d", "").show("Nothing.")
    assert "a\\x1b[2Jb c [bold]d" in capsys.readouterr().out


def test_an_empty_list_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    Listing("id").show("Nothing was rejected.")
    assert capsys.readouterr().out == "Nothing was rejected.\n"
