"""What a project wants of its insights, over HTTP: model, endpoint, language, threshold, what leaves the house."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from adapters.channels.public_address import is_public
from adapters.channels.public_only import resolve
from insights.api.caller import SecretCaller
from insights.api.given import Flag, Number
from insights.api.services import FromRequest
from insights.api.stored import StoredBody
from insights.classification.wishes import InsightWishes
from insights.errors import Refused
from insights.models import InsightSetting, ModelSpend
from insights.privacy.redact import WITHHOLDABLE
from insights.wiring.classifiers import default_wishes
from insights.wiring.services import Services

router = APIRouter(prefix="/v1/settings/insights", tags=["settings"])

MICROS: Final = 1_000_000
Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Language = Annotated[str, StringConstraints(min_length=2, max_length=40, pattern=r"^[\w \-()]+$")]
Money = Annotated[Number, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class InsightSettings(StoredBody):
    """What is left out stays as it was; null takes the process's setting. The key can be set, not read."""

    use_model: Flag | None = Field(None, description="false: the rules decide, whatever else is set.")
    base_url: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        None, description="OpenAI-compatible endpoint, such as https://api.example/v1."
    )
    model: Word | None = None
    api_key: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[!-~]+$")] | None = None
    language: Language | None = Field(None, description="Language of narratives, in words: German.")
    threshold: Annotated[Number, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    withheld: list[str] | None = Field(
        None, description=f"What stays in the house too: {', '.join(sorted(WITHHOLDABLE))}."
    )
    price_in: Money | None = Field(None, description="Price of a million tokens sent.")
    price_out: Money | None = Field(None, description="Price of a million tokens answered.")
    daily_ceiling: Money | None = Field(None, description="Most that the model may cost a day (UTC); 0: no questions.")


class Today(BaseModel):
    """What the model took today (UTC), with what is set aside for questions under way."""

    day: date
    calls: int
    tokens_in: int
    tokens_out: int
    cost: float | None


class InsightSettingsOut(BaseModel):
    """What holds for the project now. ``own`` names what it has set itself."""

    base_url: str | None
    model: str | None
    api_key_set: bool
    language: str
    threshold: float
    withheld: list[str]
    price_in: float
    price_out: float
    daily_ceiling: float | None
    own: list[str]
    today: Today


@router.get("", response_model=InsightSettingsOut)
async def get_settings(caller: SecretCaller, services: FromRequest) -> InsightSettingsOut:
    """What holds for this project, and what its model has taken today."""
    today = datetime.now(UTC).date()
    async with services.database.transaction(caller.project_id) as tx:
        row = await services.wishes.row(tx, caller.project_id)
        wishes = await services.wishes.read(tx, caller.project_id, default_wishes(services.settings))
        spent = await tx.get(ModelSpend, (caller.project_id, today))
    return _out(wishes, row, spent, today)


@router.patch("", response_model=InsightSettingsOut)
async def change_settings(change: InsightSettings, caller: SecretCaller, services: FromRequest) -> InsightSettingsOut:
    """Changes what is given and leaves the rest. Insights from the next on are made that way."""
    given: dict[str, Any] = change.model_dump(exclude_unset=True)
    if given.get("base_url") is not None:
        given["base_url"] = await _allowed(given["base_url"], services)
    if "withheld" in given:
        given["withheld"] = _withheld(given["withheld"] or [])
    if "daily_ceiling" in given:
        ceiling = given.pop("daily_ceiling")
        given["daily_ceiling_micros"] = None if ceiling is None else round(ceiling * MICROS)
    async with services.database.transaction(caller.project_id) as tx:
        row = await services.wishes.row(tx, caller.project_id)
        if row is not None and row.api_key is not None:
            _check_key_stays(given, row.base_url)
        if given:
            await services.wishes.write(tx, caller.project_id, given, datetime.now(UTC))
        tx.expire_all()
        wishes = await services.wishes.read(tx, caller.project_id, default_wishes(services.settings))
        _complete(wishes)
    services.classifiers.forget(caller.project_id)
    return await get_settings(caller, services)


def _complete(wishes: InsightWishes) -> None:
    """Raises Refused when the settings do not work together; the transaction then changes nothing."""
    if wishes.endpoint is not None and not wishes.endpoint.model:
        raise Refused("model: name the model to ask at that address.", field="model")
    if wishes.daily_ceiling is not None and wishes.prices.unknown and wishes.endpoint is not None:
        raise Refused(
            "daily_ceiling: it cannot be held without the prices of a million tokens; set both.", field="daily_ceiling"
        )


def _check_key_stays(given: Mapping[str, Any], base_url: str | None) -> None:
    """Raises Refused if the stored key would go to another address than it was given for."""
    if given.get("base_url", base_url) != base_url and "api_key" not in given:
        raise Refused(
            "api_key: the key that is set was given for another address. Send the key of this one, or null for none.",
            field="api_key",
        )


def _withheld(names: list[str]) -> list[str]:
    for name in names:
        if name not in WITHHOLDABLE:
            known = ", ".join(sorted(WITHHOLDABLE))
            raise Refused(f"withheld: {name[:60]!r} is none of {known}.", field="withheld")
    return sorted(set(names))


async def _allowed(url: str, services: Services) -> str:
    """The address without a slash at its end. Raises Refused unless it is https to a public address, or the operator
    allows others."""
    url = url.strip().rstrip("/")
    if url == services.settings.llm_base_url.rstrip("/"):
        return url
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Refused("base_url: is not an address; write https://host/v1.", field="base_url") from None
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
        raise Refused("base_url: is not an address; write https://host/v1.", field="base_url")
    if services.settings.llm_allow_private:
        return url
    if parts.scheme != "https":
        raise Refused(
            "base_url: must begin with https://, unless the operator sets WHYLEFT_LLM_ALLOW_PRIVATE=yes.",
            field="base_url",
        )
    try:
        addresses = await resolve(host, port or 443)
    except OSError:
        raise Refused(f"base_url: there is no server {host[:100]!r}; check the address.", field="base_url") from None
    if not addresses or not all(is_public(address) for address in addresses):
        raise Refused(
            "base_url: lies in a private network; the operator can allow that with WHYLEFT_LLM_ALLOW_PRIVATE=yes.",
            field="base_url",
        )
    return url


def _out(
    wishes: InsightWishes, row: InsightSetting | None, spent: ModelSpend | None, today: date
) -> InsightSettingsOut:
    endpoint = wishes.endpoint
    own = [
        name
        for name in (*InsightSettings.model_fields,)
        if row is not None and getattr(row, f"{name}_micros" if name == "daily_ceiling" else name) not in (None, [])
    ]
    return InsightSettingsOut(
        base_url=endpoint.base_url or None if endpoint is not None else None,
        model=endpoint.model if endpoint is not None else None,
        api_key_set=bool(endpoint is not None and endpoint.api_key),
        language=wishes.language,
        threshold=wishes.threshold,
        withheld=sorted(wishes.withheld),
        price_in=wishes.prices.tokens_in,
        price_out=wishes.prices.tokens_out,
        daily_ceiling=wishes.daily_ceiling,
        own=own,
        today=Today(
            day=today,
            calls=spent.calls if spent else 0,
            tokens_in=spent.tokens_in if spent else 0,
            tokens_out=spent.tokens_out if spent else 0,
            cost=None if wishes.prices.unknown else (spent.cost_micros if spent else 0) / MICROS,
        ),
    )
