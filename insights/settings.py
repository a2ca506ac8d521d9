"""The settings table: every knob with its default and one sentence, read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

PREFIX = "WHYLEFT_"


class SettingInvalid(ValueError):
    """A setting's text cannot be read; the message names it and says what it takes."""


def _setting(default: object, sentence: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"sentence": sentence, "secret": secret})


def _secret(default: object, sentence: str) -> Any:
    return _setting(default, sentence, secret=True)


PUBLIC_URL: Final = "http://127.0.0.1:8321"
"""Where a server is reached whose operator has not said so."""


@dataclass(frozen=True)
class Settings:
    """All settings of a process. ``WHYLEFT_`` plus the upper-case name is the environment variable.

    A secret may stand in a file instead, which ``…_FILE`` names.
    """

    database_url: str = _secret(
        "", "PostgreSQL to use, as postgresql://user:password@host/db; empty starts the embedded one."
    )
    owner_database_url: str = _secret(
        "",
        "The same database as the role that owns the schema, when WHYLEFT_DATABASE_URL is the application's own login; "
        "alone it is enough for `whyleft migrate`.",
    )
    database_pooled: bool = _setting(
        False,
        "WHYLEFT_DATABASE_URL leads through a pooler that hands out single transactions, like PgBouncer (yes or no).",
    )
    data_dir: Path = _setting(
        Path(".whyleft"), "Folder of the embedded database, the ticket outbox, mails of the demo, the signing secret."
    )
    public_url: str = _setting(PUBLIC_URL, "Where people and mails reach this server.")
    shop_url: str = _setting("", "Where recovery messages send people back to; empty uses the page they left.")
    secret: str = _secret(
        "", "Signs cookies and links, 32 characters or more; empty makes one and keeps it in the data folder."
    )
    sealing_keys: str = _secret(
        "",
        "Keys that seal credentials and personal data, 32 characters or more, newest first, commas between; else the "
        "secret.",
    )
    sealing_keys_file: str = _setting(
        "", "File with those keys instead, one a line; it is read again when a key is met that was not in it."
    )

    lost_seals: str = _setting(
        "",
        "Names of sealing keys that are lost for good, commas between, as a refused start prints them: what they "
        "sealed stays closed.",
    )

    operator_token: str = _secret(
        "",
        "Opens /v1/projects, where projects are made and archived, to whoever sends it as a bearer token, 32 "
        "characters or more; empty keeps it closed.",
    )

    max_body_bytes: int = _setting(1_048_576, "Largest request body after decompression, in bytes.")
    max_batch_events: int = _setting(500, "Most events in one request.")
    max_event_bytes: int = _setting(32_768, "Largest single event, in bytes of its JSON.")
    max_queued_events: int = _setting(
        50_000, "Events waiting for the database before requests are answered 503 with Retry-After."
    )
    request_seconds: float = _setting(
        20.0,
        "A request must have arrived whole after this long, headers and body; one that drips is cut, and so is who "
        "takes less than 16 KB of an answer meanwhile.",
    )
    trusted_proxies: str = _setting(
        "127.0.0.0/8,::1",
        "Addresses of your own balancers, like 10.0.0.5,192.0.2.0/24: their X-Forwarded-For is believed, and limits by "
        "address do not count them.",
    )
    sso_header: str = _setting(
        "",
        "Header in which your own proxy names who logged in there by e-mail address, like X-Forwarded-Email; believed "
        "only from WHYLEFT_TRUSTED_PROXIES, which must set or remove it on every request. Empty: passwords and keys.",
    )
    address_requests_per_second: float = _setting(
        200.0,
        "Requests a second from one address (an IPv6 /64) to a process, then 429 with Retry-After; 0 is no limit.",
    )
    key_requests_per_second: float = _setting(
        2000.0, "Requests a second to the events endpoint of a process with one key, then 429; 0 is no limit."
    )
    operation_requests_per_second: float = _setting(
        100.0, "Requests a second with one key to all other operations of a process, then 429; 0 is no limit."
    )
    burst_seconds: float = _setting(5.0, "So many seconds' worth of those rates may come at once.")
    operations_at_once: int = _setting(
        8, "Operations of one key that a process works on at once; the next wait their turn; 0 is no limit."
    )
    connections_per_address: int = _setting(
        256, "Open connections of one address to a process, balancers of yours apart; 0 is no limit."
    )
    max_connections: int = _setting(10_000, "Open connections to a process in all; 0 is no limit.")
    clock_skew_seconds: float = _setting(
        600.0, "A browser clock further off than this is corrected by sent_at; smaller differences are left alone."
    )

    redis_url: str = _secret(
        "",
        "Redis or Valkey where processes share live profiles, redis://user:password@host:6379/0 or rediss://…; empty "
        "keeps them in memory, for balancers that send a visitor to one process.",
    )
    redis_timeout_seconds: float = _setting(
        0.05, "Longest wait for Redis before a process goes on with its own memory and PostgreSQL."
    )
    live_visitors: int = _setting(
        100_000, "Most visitors whose live profile a process holds in memory, about 2 KB each."
    )

    session_quiet_seconds: float = _setting(
        3600.0, "A session closes after this long without an event; up to a twelfth later."
    )
    session_grace_seconds: float = _setting(
        60.0, "A session closes this long after session_ended, so that late events still belong to it."
    )
    visit_gap_seconds: float = _setting(
        1800.0, "A message of another dialect that names no session starts a new one after this long a silence."
    )

    keep_days: int = _setting(
        0, "Visits, and visitors who do not come back, are erased after so many days, 2 or more; 0 keeps them."
    )

    lease_seconds: float = _setting(
        60.0, "Work of a process that died is taken over after this long; longer than the slowest model or provider."
    )

    drain_seconds: float = _setting(20.0, "After SIGTERM, requests and work under way get this long to finish.")
    drain_delay_seconds: float = _setting(
        0.0, "After SIGTERM, requests are still taken for this long, so that a balancer sees /readyz answer 503."
    )
    metrics_bind: str = _setting(
        "", "Second listener, host:port, with /metrics, /healthz and /readyz for operators only; empty turns it off."
    )
    metrics_token: str = _secret(
        "", "Opens /metrics on the public port to whoever sends it as a bearer token; empty keeps it closed."
    )

    actions_per_session: int = _setting(2, "Most actions shown to a visitor in one session.")
    action_gap_seconds: float = _setting(60.0, "Shortest time between two actions shown to one visitor.")
    decision_deadline_ms: int = _setting(20, "Past this, counted from the request, the rules decide without a policy.")

    explain_answers: bool = _setting(
        False,
        "Answers carry stage, intent, profile, decision and why for the debug overlay; for development (yes or no).",
    )

    confidence_threshold: float = _setting(0.5, "An insight below this confidence becomes unclear.")
    calibrations: str = _setting(
        "", "File of `whyleft eval --calibrate`: how far a model's confidence can be believed; empty takes its word."
    )
    llm_base_url: str = _setting(
        "", "OpenAI-compatible endpoint, e.g. http://127.0.0.1:8080/v1; empty is OpenAI's own."
    )
    llm_api_key: str = _secret("", "Key of that endpoint. Without a key and a URL the evidence classifier decides.")
    llm_model: str = _setting("gpt-5-mini", "Model that names the reason.")
    llm_price_in: float = _setting(
        0.0, "What a million tokens sent to that model cost, for showing cost and holding the ceiling; 0 is unknown."
    )
    llm_price_out: float = _setting(0.0, "What a million tokens of its answers cost, in the same currency.")
    llm_daily_ceiling: float = _setting(
        0.0, "Most that a project's model may cost a day (UTC), in the currency of the prices; 0 is no ceiling."
    )
    llm_allow_private: bool = _setting(
        False, "Allow projects to name a model inside the private network (yes or no); yours above may always be."
    )
    llm_deadline_seconds: float = _setting(20.0, "Longest wait for the model, retries included, before the fallback.")

    smtp_url: str = _secret("", "Mail relay, smtp://user:password@host:port or smtps://…; empty turns e-mail off.")
    mail_from: str = _setting("Whyleft <no-reply@localhost>", "Sender of recovery e-mails.")
    webhook_url: str = _setting("", "Address that the call_webhook action posts to; empty turns it off.")
    webhook_secret: str = _secret("", "Secret (whsec_…) that signs those posts by the Standard Webhooks scheme.")
    webhook_allow_private: bool = _setting(False, "Allow a webhook address inside the private network (yes or no).")

    log_level: str = _setting("info", "Least severe log line to print: debug, info, warning or error.")
    log_json: bool = _setting(False, "Print log lines as JSON (yes or no).")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Settings from ``environ`` (the process's own by default); ``overrides`` win. Raises SettingInvalid."""
        source = os.environ if environ is None else environ
        known = {PREFIX + f.name.upper(): f for f in fields(cls)}
        files = {name + "_FILE": name for name, f in known.items() if f.metadata["secret"]}
        files = {file: name for file, name in files.items() if file not in known}
        for name in source:
            if name.startswith(PREFIX) and name not in known and name not in OTHER_VARIABLES and name not in files:
                raise SettingInvalid(f"{name} is not a setting: `whyleft settings` lists them all.")
        values: dict[str, Any] = {}
        for name, f in known.items():
            if name in source:
                values[f.name] = _read(name, source[name], f.default)
        for file, name in files.items():
            if file in source:
                if name in source:
                    raise SettingInvalid(f"{name} and {file} are both set: keep one of them.")
                values[known[name].name] = _from_file(file, source[file])
        values.update({name: value for name, value in overrides.items() if value is not None})
        return cls(**values)


OTHER_VARIABLES = frozenset(
    {"WHYLEFT_BENCH_DATA", "WHYLEFT_CHROMIUM", "WHYLEFT_FIREFOX", "WHYLEFT_SECRET_KEY", "WHYLEFT_WRITE_KEY"}
)
"""Variables of ours that are no settings of a server: what benches read, the tests' browsers, the keys that client
commands use."""


def _from_file(name: str, path: str) -> str:
    try:
        # An editor ends a file with a line break, and some begin it with a mark of UTF-8: no part of a secret.
        return Path(path).read_text("utf-8-sig").rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        raise SettingInvalid(f"{name}: {path} cannot be read ({type(error).__name__}).") from None


def _read(name: str, text: str, default: object) -> Any:
    if isinstance(default, bool):
        if text.lower() in ("1", "yes", "true", "on"):
            return True
        if text.lower() in ("0", "no", "false", "off", ""):
            return False
        raise SettingInvalid(f"{name} is {text!r}: write yes or no.")
    if isinstance(default, int | float):
        try:
            value = type(default)(text)
        except ValueError:
            kind = "a whole number" if isinstance(default, int) else "a number"
            raise SettingInvalid(f"{name} is {text!r}: write {kind}, such as {default}.") from None
        if not 0 <= value < 10**12:
            raise SettingInvalid(f"{name} is {text!r}: write a number from 0 up.")
        return value
    if isinstance(default, Path):
        return Path(text)
    return text
