"""Builds a process out of its settings: one readable list of what hangs on what."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.channels.contract import Channel
from adapters.channels.line import Line
from adapters.channels.smtp import SmtpChannel
from adapters.channels.ticket import TicketOutbox
from adapters.channels.webhook import WebhookChannel
from adapters.live.resp import RedisUrlInvalid
from adapters.llm.openai_client import OpenAiModel
from adapters.llm.port import LanguageModel
from adapters.postgres import embedded, migrate, neighbour
from adapters.postgres.engine import Database, DatabaseUrls
from adapters.postgres.personal import Ring
from adapters.telemetry import tracing
from adapters.telemetry.exposition import Exposition
from adapters.telemetry.meters import Meters
from flows.runner import Runner
from flows.uptake import Uptake
from insights.access.keys import KeyRing
from insights.access.post import Post
from insights.channels.callbacks import Callbacks
from insights.channels.ways import ProjectChannels
from insights.classification.book import AnswerBook
from insights.classification.calibration import Calibrations, read_calibrations, shipped_calibrations
from insights.classification.closing import SessionCloser
from insights.classification.pricing import Prices
from insights.classification.projects import ProjectClassifiers
from insights.classification.wish_store import WishStore
from insights.classification.wishes import Endpoint, InsightWishes
from insights.decisions.guardrails import Limits as ActionLimits
from insights.events.field_book import FieldBook
from insights.events.reception import Forgets, Reception
from insights.events.record import Recorder, SessionTimes
from insights.events.wire import Limits
from insights.learning.learner import Learner
from insights.patterns.letters import Letters
from insights.patterns.look import Looker
from insights.patterns.notices import Messenger
from insights.patterns.tell import Teller
from insights.plans.book import PlanBook
from insights.plans.holdout import PeopleHeldOut
from insights.privacy.forgetting import Forgetting
from insights.profiles.in_memory import ProfilesInMemory
from insights.profiles.in_redis import ProfilesInRedis
from insights.profiles.loading import ProfileLoader
from insights.profiles.store import LiveProfiles
from insights.readiness import Readiness
from insights.recovery.audience import VisitorFacts
from insights.recovery.compose import MessageComposer
from insights.recovery.scene import VisitScene
from insights.sealing import Sealer, key_source
from insights.segments.knowledge import VisitorKnowledge
from insights.segments.people import ShopPeople
from insights.settings import SettingInvalid, Settings
from insights.shipped import shipped
from insights.sources.door import Door
from insights.traffic.addresses import ProxiesInvalid
from insights.traffic.limits import Traffic


@dataclass(frozen=True)
class Services:
    """Everything a process may use. Nothing in it has started yet."""

    settings: Settings
    signing_secret: bytes
    database: Database
    keys: KeyRing
    post: Post
    profiles: LiveProfiles
    plans: PlanBook
    loader: ProfileLoader
    recorder: Recorder
    reception: Reception
    sealer: Sealer
    line: Line
    channels: ProjectChannels
    composer: MessageComposer
    callbacks: Callbacks
    door: Door
    limits: Limits
    action_limits: ActionLimits
    wishes: WishStore
    classifiers: ProjectClassifiers
    closer: SessionCloser
    runner: Runner
    uptake: Uptake
    learner: Learner
    looker: Looker
    messenger: Messenger
    meters: Meters
    exposition: Exposition
    readiness: Readiness
    traffic: Traffic
    forgetting: Forgetting


@dataclass(frozen=True, slots=True)
class Place:
    """Which process of a group this is. ``folder``: where the group's processes find each other."""

    number: int = 0
    folder: Path | None = None


@contextmanager
def open_database(settings: Settings) -> Iterator[DatabaseUrls]:
    """The database that the settings name, with its schema up to date; the embedded one runs as long as this."""
    if settings.database_url:
        urls = _given_database(settings)
        migrate.upgrade(urls.owner, shipped("migrations"))
        yield urls
        return
    with embedded.start(settings.data_dir / "postgres") as server:
        migrate.upgrade(server.owner_url, shipped("migrations"))
        yield DatabaseUrls(owner=server.owner_url, app=server.app_url)


def _given_database(settings: Settings) -> DatabaseUrls:
    return DatabaseUrls.from_settings(
        settings.database_url, settings.owner_database_url, pooled=settings.database_pooled
    )


def running_database(settings: Settings) -> DatabaseUrls | None:
    """The embedded database that another process runs on the same data folder, if one does."""
    return None if settings.database_url else neighbour.running(settings.data_dir / "postgres")


def shared_database(settings: Settings) -> DatabaseUrls:
    """The database that several processes work on: the settings' own, or the embedded one that a `whyleft serve` runs
    on the same data folder. Neither is started or changed here. Raises SettingInvalid."""
    if settings.database_url:
        return _given_database(settings)
    running = running_database(settings)
    if running is None:
        raise SettingInvalid(
            "There is no database to share: set WHYLEFT_DATABASE_URL, or start `whyleft serve` on "
            f"{settings.data_dir} first; its embedded PostgreSQL then serves this process too."
        )
    return running


def event_limits(settings: Settings) -> Limits:
    """How much a batch may hold."""
    return Limits(
        events=settings.max_batch_events,
        event_bytes=settings.max_event_bytes,
        clock_skew_ms=settings.clock_skew_seconds * 1000,
    )


def known_calibrations(settings: Settings) -> Calibrations:
    """How far each speaker's confidence can be believed: what comes along, and the file that the settings name."""
    if not settings.calibrations:
        return shipped_calibrations()
    return shipped_calibrations().joined_by(read_calibrations(Path(settings.calibrations)).maps.values())


def traffic_of(settings: Settings) -> Traffic:
    """What this process lets anybody take of it. Raises SettingInvalid."""
    try:
        return Traffic(
            trusted_proxies=settings.trusted_proxies,
            address_rate=settings.address_requests_per_second,
            key_rate=settings.key_requests_per_second,
            operation_rate=settings.operation_requests_per_second,
            burst_seconds=settings.burst_seconds,
            at_once=settings.operations_at_once,
            request_seconds=settings.request_seconds,
            connections_each=settings.connections_per_address,
            connections_all=settings.max_connections,
        )
    except ProxiesInvalid as error:
        raise SettingInvalid(f"WHYLEFT_TRUSTED_PROXIES: {error}") from error


def session_times(settings: Settings) -> SessionTimes:
    """When sessions close."""
    return SessionTimes(
        quiet=timedelta(seconds=settings.session_quiet_seconds),
        grace=timedelta(seconds=settings.session_grace_seconds),
    )


def personal_ring(settings: Settings) -> Ring:
    """The keys of the columns that hold personal data."""
    read = key_source(settings.sealing_keys, settings.sealing_keys_file, _signing_secret(settings))
    return Ring(read(), read)


def sealer(settings: Settings) -> Sealer:
    """What seals the secrets that must be read again."""
    read = key_source(settings.sealing_keys, settings.sealing_keys_file, _signing_secret(settings))
    return Sealer(read(), read)


def reception(settings: Settings, database: Database, recorder: Recorder, profiles: Forgets) -> Reception:
    """The way in for messages of other dialects."""
    return Reception(
        database,
        recorder,
        profiles,
        limits=event_limits(settings),
        gap_ms=int(settings.visit_gap_seconds * 1000),
    )


def post(settings: Settings) -> Post:
    """What writes to members."""
    relay = SmtpChannel(settings.smtp_url, sender=settings.mail_from) if settings.smtp_url else None
    return Post(relay, f"{settings.public_url.rstrip('/')}/app")


def live_profiles(settings: Settings) -> LiveProfiles:
    """Where this process finds live profiles. Raises SettingInvalid."""
    capacity = max(1, settings.live_visitors)
    if not settings.redis_url:
        return ProfilesInMemory(capacity=capacity)
    try:
        return ProfilesInRedis(settings.redis_url, timeout=settings.redis_timeout_seconds, capacity=capacity)
    except RedisUrlInvalid as error:
        raise SettingInvalid(str(error)) from error


def build(settings: Settings, urls: DatabaseUrls, place: Place = Place()) -> Services:
    """The services of one process."""
    database = Database(urls, ring=personal_ring(settings))
    meters = Meters(tracing.tracer())
    profiles = live_profiles(settings)
    recorder = Recorder(
        database,
        times=session_times(settings),
        max_queued=settings.max_queued_events,
        # What is known of a person has changed: the next request of each of their devices reads it again.
        on_people_changed=profiles.forget_all,
        on_flushed=meters.flushed,
        fields=FieldBook(database),
    )
    _watch(meters, database, recorder, profiles)
    traffic = traffic_of(settings)
    meters.watch("whyleft_requests_turned_away", "Requests answered 429 by a limit.", lambda: traffic.turned_away)
    signing_secret = _signing_secret(settings)
    sealing = sealer(settings)
    line = provider_line(settings)
    composer = MessageComposer(
        public_url=settings.public_url, shop_url=settings.shop_url, signing_secret=signing_secret
    )
    ways = channels_of(settings, sealing, line)
    wishes, classifiers = classifiers_of(settings, database)
    way_in = reception(settings, database, recorder, profiles)
    return Services(
        settings=settings,
        signing_secret=signing_secret,
        database=database,
        keys=KeyRing(database),
        post=post(settings),
        profiles=profiles,
        plans=PlanBook(database),
        loader=ProfileLoader(database),
        recorder=recorder,
        reception=way_in,
        sealer=sealing,
        line=line,
        channels=ways,
        composer=composer,
        callbacks=Callbacks(database, ways),
        door=Door(database, way_in, sealing),
        limits=event_limits(settings),
        action_limits=ActionLimits(
            actions_per_session=settings.actions_per_session,
            gap_ms=int(settings.action_gap_seconds * 1000),
            deadline_ms=settings.decision_deadline_ms,
        ),
        wishes=wishes,
        classifiers=classifiers,
        closer=SessionCloser(
            database, classifiers, _now, lease=timedelta(seconds=settings.lease_seconds), meters=meters
        ),
        runner=Runner(
            database,
            channels=ways,
            composer=composer,
            facts=VisitorFacts(),
            knowledge=VisitorKnowledge(),
            holdout=PeopleHeldOut(),
            clock=_now,
            lease=timedelta(seconds=settings.lease_seconds),
            meters=meters,
        ),
        uptake=Uptake(
            database,
            knowledge=VisitorKnowledge(),
            people=ShopPeople(),
            scene=VisitScene(),
            clock=_now,
            lease=timedelta(seconds=settings.lease_seconds),
            meters=meters,
        ),
        learner=Learner(database, _now),
        looker=_looker(settings, database, classifiers),
        messenger=Messenger(
            database,
            ways,
            Letters(database, public_url=settings.public_url, signing_secret=signing_secret),
            sealing,
            _now,
            allow_private=settings.webhook_allow_private,
        ),
        meters=meters,
        exposition=Exposition(meters.registry, number=place.number, folder=place.folder),
        readiness=Readiness(
            database,
            migrate.revisions(shipped("migrations")),
            lambda: recorder.saturated,
            lambda: profiles.trouble,
        ),
        traffic=traffic,
        forgetting=Forgetting(urls, profiles.forget),
    )


def _watch(meters: Meters, database: Database, recorder: Recorder, profiles: LiveProfiles) -> None:
    meters.watch("whyleft_recorder_queued_events", "Events that wait for their commit.", lambda: recorder.queued)
    meters.watch("whyleft_live_profiles", "Visitors whose profile is in memory.", lambda: len(profiles))
    meters.watch(
        "whyleft_live_store_lost",
        "1 while the store that processes share cannot be reached.",
        lambda: profiles.trouble is not None,
    )
    meters.watch("whyleft_live_store_failures", "How often it was lost.", lambda: profiles.failures)
    meters.watch(
        "whyleft_profiles_stale",
        "Requests whose profile was behind what another process wrote.",
        lambda: recorder.stale,
    )
    meters.watch(
        "whyleft_decisions_withheld",
        "Decisions not carried out for that; each was made once more.",
        lambda: recorder.withheld,
    )
    meters.watch(
        "whyleft_database_connections_in_use", "Connections taken out of the pool now.", database.connections_in_use
    )
    meters.watch(
        "whyleft_database_connections_most", "Connections the pool may have.", lambda: database.most_connections
    )


def _now() -> datetime:
    return datetime.now(UTC)


def classifiers_of(settings: Settings, database: Database) -> tuple[WishStore, ProjectClassifiers]:
    """What projects want of insights, and who names reasons for them."""
    wishes = WishStore(sealer(settings), allow_private=settings.llm_allow_private)
    classifiers = ProjectClassifiers(
        database,
        wishes,
        defaults=default_wishes(settings),
        deadline=timedelta(seconds=settings.llm_deadline_seconds),
        open_model=_open_model,
        calibrations=known_calibrations(settings),
        book=AnswerBook(database, _now),
    )
    return wishes, classifiers


def looker_of(settings: Settings, database: Database) -> tuple[Looker, ProjectClassifiers]:
    """Whoever looks for patterns, and the models to close afterwards."""
    _, classifiers = classifiers_of(settings, database)
    return _looker(settings, database, classifiers), classifiers


def _looker(settings: Settings, database: Database, classifiers: ProjectClassifiers) -> Looker:
    teller = Teller(database, classifiers, timedelta(seconds=settings.llm_deadline_seconds))
    return Looker(database, teller, _now)


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


def _open_model(endpoint: Endpoint) -> LanguageModel:
    return OpenAiModel(
        base_url=endpoint.base_url,
        api_key=endpoint.api_key,
        model=endpoint.model,
        public_only=endpoint.public_only,
    )


def channels_of(settings: Settings, sealing: Sealer | None = None, line: Line | None = None) -> ProjectChannels:
    """The channels of projects, beside the server's own."""
    return ProjectChannels(_channels(settings), sealing or sealer(settings), line or provider_line(settings))


def provider_line(settings: Settings) -> Line:
    """How providers are called: on the public internet alone, unless the operator's webhooks may lead inside."""
    if settings.webhook_allow_private:
        return Line(public=lambda _address: True)
    return Line()


def _channels(settings: Settings) -> Mapping[str, Channel]:
    channels: list[Channel] = [TicketOutbox(settings.data_dir / "tickets.jsonl")]
    if settings.smtp_url:
        channels.append(SmtpChannel(settings.smtp_url, sender=settings.mail_from))
    if settings.webhook_url:
        channels.append(
            WebhookChannel(
                settings.webhook_url, secret=settings.webhook_secret, allow_private=settings.webhook_allow_private
            )
        )
    return {channel.name: channel for channel in channels}


def _signing_secret(settings: Settings) -> bytes:
    if settings.secret:
        if len(settings.secret) < 32:
            raise SettingInvalid("WHYLEFT_SECRET is shorter than 32 characters: use `openssl rand -hex 32`.")
        return settings.secret.encode()
    return _kept_secret(settings.data_dir / "secret")


def _kept_secret(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Exclusive: two processes that start at once must not sign with different secrets.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    made = secrets.token_hex(32).encode()
    with os.fdopen(descriptor, "wb") as file:
        file.write(made)
    return made
