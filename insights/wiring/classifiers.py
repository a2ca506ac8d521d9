"""Who names reasons for each project, and who looks for patterns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.llm.port import LanguageModel
from adapters.postgres.engine import Database
from insights.classification.book import AnswerBook
from insights.classification.calibration import Calibrations, read_calibrations, shipped_calibrations
from insights.classification.pricing import Prices
from insights.classification.projects import ProjectClassifiers
from insights.classification.wish_store import WishStore
from insights.classification.wishes import Endpoint, InsightWishes
from insights.patterns.look import Looker
from insights.patterns.tell import Teller
from insights.settings import SettingInvalid, Settings
from insights.wiring.clock import now
from insights.wiring.secrets import sealer

if TYPE_CHECKING:
    from adapters.llm.openai_client import OpenAiModel


def classifiers_of(settings: Settings, database: Database) -> tuple[WishStore, ProjectClassifiers]:
    """What projects want of insights, and who names reasons for them."""
    wishes = WishStore(sealer(settings), allow_private=settings.llm_allow_private)
    defaults = default_wishes(settings)
    if defaults.endpoint is not None:
        _client()  # now, while nobody waits
    classifiers = ProjectClassifiers(
        database,
        wishes,
        defaults=defaults,
        deadline=timedelta(seconds=settings.llm_deadline_seconds),
        open_model=_open_model,
        calibrations=known_calibrations(settings),
        book=AnswerBook(database, now),
    )
    return wishes, classifiers


def looker_of(settings: Settings, database: Database) -> tuple[Looker, ProjectClassifiers]:
    """Whoever looks for patterns, and the models to close afterwards."""
    _, classifiers = classifiers_of(settings, database)
    return looker(settings, database, classifiers), classifiers


def looker(
    settings: Settings, database: Database, classifiers: ProjectClassifiers, clock: Callable[[], datetime] = now
) -> Looker:
    """Whoever looks for patterns, with these models to tell of them."""
    teller = Teller(database, classifiers, timedelta(seconds=settings.llm_deadline_seconds))
    return Looker(database, teller, clock)


def default_wishes(settings: Settings) -> InsightWishes:
    """What a project gets that wants nothing of its own. Raises SettingInvalid."""
    prices = Prices(settings.llm_price_in, settings.llm_price_out)
    if settings.llm_daily_ceiling and prices.unknown:
        raise SettingInvalid(
            "WHYLEFT_LLM_DAILY_CEILING cannot be held without prices: set WHYLEFT_LLM_PRICE_IN and _OUT."
        )
    endpoint = Endpoint(settings.llm_base_url, settings.llm_model, settings.llm_api_key)
    return InsightWishes(
        endpoint=endpoint if settings.llm_base_url or settings.llm_api_key else None,
        threshold=settings.confidence_threshold,
        prices=prices,
        daily_ceiling=settings.llm_daily_ceiling or None,
    )


def known_calibrations(settings: Settings) -> Calibrations:
    """How far each speaker's confidence can be believed: what comes along, and the file that the settings name."""
    if not settings.calibrations:
        return shipped_calibrations()
    return shipped_calibrations().joined_by(read_calibrations(Path(settings.calibrations)).maps.values())


async def _open_model(endpoint: Endpoint) -> LanguageModel:
    # In a thread: a process whose settings name no model loads the client when the first project wants one, and goes
    # on answering requests.
    model = await asyncio.to_thread(_client)
    return model(
        base_url=endpoint.base_url,
        api_key=endpoint.api_key,
        model=endpoint.model,
        public_only=endpoint.public_only,
    )


def _client() -> type[OpenAiModel]:
    from adapters.llm.openai_client import OpenAiModel  # a second and 35 MB that most processes never need

    return OpenAiModel
