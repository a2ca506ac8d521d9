"""What the documents name exists: commands with their options, modules, settings, files, headings, pictures."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from insights.cli import app
from insights.cli.commands import COMMANDS
from insights.settings import OTHER_VARIABLES, PREFIX, Settings

CODE = re.compile(r"^```[a-z]*\n(.*?)^```|`([^`\n]+(?:\n[^`\n]+)?)`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
OF_THE_SHELL = {"|", "<", ">", "&", "#", "&&", "||", ";"}


def commands(page: Path, *beginning: str) -> Iterator[list[str]]:
    """Each call of a program in a page's code, as words, up to what belongs to the shell."""
    for block, inline in CODE.findall(page.read_text()):
        for line in (block or inline.replace("\n", " ")).replace("\\\n", " ").splitlines():
            words = [word.removeprefix(".venv/bin/") for word in line.split()]
            for at, word in enumerate(words):
                if words[at : at + len(beginning)] != list(beginning) or (at and word == words[at - 1]):
                    continue
                if at and words[at - 1] in ("--cov", "systemctl", "instrument"):
                    continue
                call = words[at + len(beginning) :]
                end = next((n for n, part in enumerate(call) if part in OF_THE_SHELL or part == "whyleft"), len(call))
                yield call[:end]


def fault_of(call: list[str]) -> str | None:
    """What the ``whyleft`` command does not know of a call."""
    if not call or call[0].startswith("-") or not re.fullmatch(r"[a-z]+", call[0]):
        return None
    if call[0] not in COMMANDS:
        return f"there is no command {call[0]}"
    command = COMMANDS[call[0]].load(call[0])
    rest = call[1:]
    if isinstance(command, typer.core.TyperGroup):
        if not rest:
            return None
        if rest[0] not in command.commands:
            return f"{call[0]} has no command {rest[0]}"
        command, rest = command.commands[rest[0]], rest[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in rest if word.startswith("--") and word.split("=")[0] not in {*known, "--help"}]
    if unknown:
        return f"{' '.join(call[:2])} has no option {unknown[0]}"
    # A bare name is how a sentence speaks of a command; whoever writes more of it must write what it asks for.
    asked = [parameter.opts[0] for parameter in command.params if parameter.required and parameter.opts[0][0] == "-"]
    missing = [option for option in asked if option not in rest]
    return f"{' '.join(call[:2])} asks for {missing[0]}" if rest and missing else None


def test_each_command_of_whyleft_in_a_document_is_one_with_the_options_it_is_given(pages: list[Path]) -> None:
    assert app is not None
    calls = [(page, call) for page in pages for call in commands(page, "whyleft")]
    assert len(calls) > 80
    assert not [f"{page.name}: {fault}" for page, call in calls if (fault := fault_of(call))]


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("serv --port 1", "no command serv"),
        ("keys mint", "keys has no command mint"),
        ("eval --golden x", "--golden"),
        ("channels test main --to you@shop.example", "channels test asks for --project"),
    ],
)
def test_a_command_that_is_none_would_be_seen(call: str, fault: str) -> None:
    assert fault in (fault_of(call.split()) or "")


def test_each_module_that_a_document_runs_is_there_and_reads_the_options_it_is_given(
    pages: list[Path], repository: Path
) -> None:
    wrong = []
    for page in pages:
        for name, *rest in commands(page, "python", "-m"):
            if name in ("pip", "pytest", "venv"):
                continue
            path = repository / name.replace(".", "/")
            sources = [path.with_suffix(".py")] if path.with_suffix(".py").exists() else sorted(path.glob("*.py"))
            text = "".join(source.read_text() for source in sources)
            if not sources:
                wrong.append(f"{page.name}: there is no module {name}")
            wrong += [
                f"{page.name}: {name} reads no {word}"
                for word in rest
                if word.startswith("--") and f'"{word}"' not in text
            ]
    assert not wrong


def test_each_setting_that_is_named_anywhere_is_one(pages: list[Path], repository: Path) -> None:
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    known |= {PREFIX + field.name.upper() + "_FILE" for field in fields(Settings) if field.metadata["secret"]}
    known |= OTHER_VARIABLES
    examples = [
        file for file in (repository / "examples").rglob("*") if file.is_file() and "node_modules" not in file.parts
    ]
    for page in {*pages, *examples}:
        if page.suffix in (".jpg", ".png", ".woff2"):
            continue
        named = set(re.findall(r"\bWHYLEFT_[A-Z0-9_]*[A-Z0-9]\b", page.read_text()))
        assert named <= known, f"{page.name}: {sorted(named - known)}"


def anchors(page: Path) -> set[str]:
    """What may follow the # in a link to a page: its headings, as forges spell them."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_each_link_leads_to_a_file_and_to_a_heading_in_it(pages: list[Path]) -> None:
    dead = []
    for page in pages:
        for link in LINK.findall(page.read_text()):
            file, _, anchor = link.partition("#")
            if "://" in link or link.startswith("mailto:"):
                continue
            target = page.parent / file if file else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                dead.append(f"{page.name}: {link}")
    assert not dead


def test_each_page_and_each_picture_is_linked_from_another_page(pages: list[Path], files: list[Path]) -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in pages
        for link in LINK.findall(page.read_text())
        if not link.startswith("#") and "://" not in link
    }
    linked |= {path / "README.md" for path in linked if path.is_dir()}
    lonely = [
        file.name for file in files if "docs" in file.parts and file.suffix in (".md", ".jpg") and file not in linked
    ]
    assert not lonely


def test_the_map_of_the_code_is_the_contract_of_its_imports(repository: Path) -> None:
    contracts = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [floors] = [contract["layers"] for contract in contracts if contract.get("containers") == ["insights"]]
    rows = re.findall(r"^\| (`.*?) \|", (repository / "docs" / "architecture.md").read_text(), re.MULTILINE)
    assert [set(re.findall(r"\w+", row)) for row in rows] == [set(re.findall(r"\w+", floor)) for floor in floors]


def bodies(page: Path) -> Iterator[str]:
    """What a page shows as JSON: blocks that say so, and what stands under a request that is written out."""
    text = page.read_text()
    yield from re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for block in re.findall(r"(?:^ {4}.*\n)+", text, re.MULTILINE):
        if asked := re.match(r" {4}(?:POST|PUT|PATCH) \S+\n( {4}\{.*)", block, re.DOTALL):
            yield asked[1]
    yield from re.findall(r"-d '(\{.*?\})'", text, re.DOTALL)


def test_each_body_in_a_document_is_json_as_it_stands(pages: list[Path]) -> None:
    found = [(page.name, body) for page in pages for body in bodies(page)]
    for name, body in found:
        try:
            json.loads(body)
        except ValueError as error:
            pytest.fail(f"{name}: {error}: {body[:200]}")
    assert {name for name, _ in found} >= {"events.md", "messages.md", "flow-runs.md", "live-actions.md"}


def test_each_call_that_sends_json_says_so(pages: list[Path]) -> None:
    """Without it curl says that it sends a form, and the answer is 422."""
    calls = [
        (page.name, call)
        for page in pages
        for call in re.findall(r"^ *curl (?:.*\\\n)*.*$", page.read_text(), re.MULTILINE)
        if " -d " in call
    ]
    assert [name for name, call in calls if "content-type: application/json" not in call.lower()] == []
    assert len(calls) >= 4
