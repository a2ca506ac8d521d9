"""`whyleft eval`, with the rules and with a server that answers well, badly and not at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from insights.cli import app
from insights.evaluation.gold import as_file, shipped_stories

FEW = [story for story in shipped_stories() if story.id in ("tech-01", "tech-02", "uncl-01", "urg-01")]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["eval", *arguments])


@contextmanager
def serving(refuses: int = 0) -> Iterator[str]:
    """A server whose answer is always "unclear" or "value_fit"; it refuses the first ``refuses`` questions."""
    left = [refuses]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
            if left[0] > 0:
                left[0] -= 1
                message["refusal"] = "No."
            else:
                converted = body["messages"][1]["content"].startswith("kind: converted")
                kind, reason = ("converted", "value_fit") if converted else ("abandoned", "unclear")
                answer = {"kind": kind, "reason": reason, "confidence": 0.6, "narrative": "So.", "evidence": ["e1"]}
                message["content"] = json.dumps({"insight": answer})
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
            completion = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
            reply = json.dumps({**completion, "usage": usage}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def few(tmp_path: Path) -> str:
    path = tmp_path / "few.json"
    path.write_bytes(as_file(FEW))
    return str(path)


def test_the_rules_alone_are_right_four_times_in_five_and_are_called_evidence() -> None:
    result = json.loads(run("--json").stdout)
    assert set(result["speakers"]) == {"evidence"}
    evidence = result["speakers"]["evidence"]
    assert evidence["all"]["accuracy"] >= 0.80
    assert evidence["held-out"]["accuracy"] >= 0.80
    assert evidence["all"]["reasons"]["unclear"]["recall"] >= 0.8
    assert result["usage"]["calls"] == 0
    assert "evidence ·" in run().stdout


def test_what_the_rules_said_in_a_models_place_is_no_figure_of_the_model(few: str) -> None:
    with serving(refuses=3) as url:
        result = json.loads(run("--base-url", url, "--model", "m", "--gold", few, "--parallel", "1", "--json").stdout)
    assert result["speakers"]["model"]["all"]["stories"] == 1
    assert result["speakers"]["fallback"]["all"]["stories"] == 3
    assert result["fallbacks"] == {"refused": 3}
    # Refusals are billed too.
    assert result["usage"] == {"calls": 4, "tokens_in": 4000, "cached": 0, "tokens_out": 400}


def test_cost_is_told_from_the_prices_and_two_runs_are_compared(
    few: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tmp_path / "rules.json"
    before.write_text(run("--gold", few, "--json").stdout)
    monkeypatch.setenv("WHYLEFT_LLM_PRICE_IN", "2")
    monkeypatch.setenv("WHYLEFT_LLM_PRICE_OUT", "10")
    with serving() as url:
        arguments = ("--base-url", url, "--model", "m", "--gold", few, "--against", str(before))
        result = json.loads(run(*arguments, "--json").stdout)
        printed = run(*arguments).stdout
    assert result["cost"] == pytest.approx(4 * (1000 * 2 + 100 * 10) / 1_000_000)
    assert result["comparison"]["stories"] == 4
    # The rules know the two broken shops and the hurry; the server called everything unclear or a fair price.
    assert (result["comparison"]["only_first"], result["comparison"]["only_second"]) == (3, 0)
    assert "McNemar p = 0.250" in printed
    assert "cost 0.0120" in printed


def test_a_model_that_never_answers_gets_no_figure(few: str) -> None:
    with serving(refuses=99) as url:
        printed = run("--base-url", url, "--model", "m", "--gold", few).stdout
    assert "model: it gave no usable answer" in printed
    assert "no figure of the model" in printed


def test_what_is_no_result_to_compare_with_is_refused(few: str) -> None:
    result = run("--gold", few, "--against", few)
    assert result.exit_code == 1
