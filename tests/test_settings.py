"""The settings table, and the docs that must say the same."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from insights.cli.settings import settings
from insights.settings import PREFIX, SettingInvalid, Settings


def test_every_setting_has_a_sentence_and_a_row_in_the_docs(repository: Path) -> None:
    rows = (repository / "docs" / "settings.md").read_text().splitlines()
    documented = {row.split("`")[1]: row for row in rows if row.startswith("| `")}
    assert set(documented) == {PREFIX + field.name.upper() for field in fields(Settings)}
    for field in fields(Settings):
        sentence = field.metadata["sentence"]
        assert sentence.endswith(".")
        row = documented[PREFIX + field.name.upper()]
        assert sentence in row
        default = ("no", "yes")[field.default] if isinstance(field.default, bool) else str(field.default)
        assert row.split(" | ")[1] == (f"`{default}`" if default else "empty"), row


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("WHYLEFT_MAX_BATCH_EVENTS", "many", "a whole number"),
        ("WHYLEFT_SESSION_QUIET_SECONDS", "-5", "from 0 up"),
        ("WHYLEFT_SESSION_QUIET_SECONDS", "nan", "from 0 up"),
        ("WHYLEFT_LOG_JSON", "perhaps", "yes or no"),
        ("WHYLEFT_SESION_QUIET", "5", "is not a setting"),
    ],
)
def test_a_wrong_value_names_the_variable_and_says_what_it_takes(name: str, value: str, advice: str) -> None:
    with pytest.raises(SettingInvalid, match=f"{name}.*{advice}"):
        Settings.from_environment({name: value})


def test_what_the_environment_says_wins_over_the_default_and_a_flag_over_both() -> None:
    environment = {"WHYLEFT_LOG_JSON": "yes", "WHYLEFT_DATA_DIR": "/a", "HOME": "/root"}
    settings = Settings.from_environment(environment, data_dir=Path("/b"), log_level=None)
    assert (settings.log_json, settings.data_dir, settings.log_level) == (True, Path("/b"), "info")


def test_each_variable_of_ours_that_tests_benches_and_commands_read_may_be_set_beside_a_server(
    repository: Path,
) -> None:
    reads = re.compile(r"""environ(?:\.get\(|\[)"(WHYLEFT_\w+)"|envvar="(WHYLEFT_\w+)\"""")
    files = [file for folder in ("bench", "insights", "tests") for file in (repository / folder).rglob("*.py")]
    read = {one or other for file in files for one, other in reads.findall(file.read_text())}
    assert {"WHYLEFT_CHROMIUM", "WHYLEFT_WRITE_KEY"} <= read
    Settings.from_environment(dict.fromkeys(read, "x"))


def test_a_secret_may_stand_in_a_file_and_only_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    for written in ("x" * 32, "x" * 32 + "\n", "\ufeff" + "x" * 32 + "\r\n"):
        file.write_bytes(written.encode())
        assert Settings.from_environment({"WHYLEFT_SECRET_FILE": str(file)}).secret == "x" * 32
    for environment, advice in (
        ({"WHYLEFT_SECRET_FILE": str(file), "WHYLEFT_SECRET": "y"}, "both set"),
        ({"WHYLEFT_SECRET_FILE": str(tmp_path / "none")}, "WHYLEFT_SECRET_FILE: .* cannot be read"),
        ({"WHYLEFT_LOG_LEVEL_FILE": str(file)}, "is not a setting"),
    ):
        with pytest.raises(SettingInvalid, match=advice):
            Settings.from_environment(environment)


def test_whatever_sounds_like_a_secret_is_one_and_is_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for field in fields(Settings):
        sounds = field.name.endswith(("secret", "token", "_key", "_keys", "database_url", "redis_url", "smtp_url"))
        assert field.metadata["secret"] == sounds, field.name
        if sounds:
            monkeypatch.setenv(PREFIX + field.name.upper(), "canary" * 8)
    settings()
    assert "canary" not in capsys.readouterr().out
