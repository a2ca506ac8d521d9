"""The services of one process: one readable list of what hangs on what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from adapters.channels.line import Line
from adapters.postgres import migrate
from adapters.postgres.engine import Database, DatabaseUrls
from adapters.telemetry import tracing
from adapters.telemetry.exposition import Exposition
from adapters.telemetry.meters import Meters
from flows.runner import Runner
from flows.uptake import Uptake
from insights.access.key_ring import KeyRing
from insights.access.post import Post
from insights.channels.callbacks import Callbacks
from insights.channels.kept import KeptChannels
from insights.channels.ways import ProjectChannels
from insights.classification.closing import SessionCloser
from insights.classification.projects import ProjectClassifiers
from insights.classification.wish_store import WishStore
from insights.decisions.guardrails import Limits as ActionLimits
from insights.events.field_book import FieldBook
from insights.events.reception import Reception
from insights.events.record import Recorder
from insights.events.wire import Limits
from insights.learning.learner import Learner
from insights.patterns.letters import Letters
from insights.patterns.look import Looker
from insights.patterns.notices import Messenger
from insights.plans.book import PlanBook
from insights.plans.holdout import PeopleHeldOut
from insights.privacy.forgetting import Forgetting
from insights.profiles.loading import ProfileLoader
from insights.profiles.store import LiveProfiles
from insights.readiness import Readiness
from insights.recovery.audience import VisitorFacts
from insights.recovery.compose import MessageComposer
from insights.recovery.scene import VisitScene
from insights.sealing import Sealer
from insights.segments.knowledge import VisitorKnowledge
from insights.segments.people import ShopPeople
from insights.settings import Settings
from insights.shipped import shipped
from insights.sources.door import Door
from insights.traffic.limits import Traffic
from insights.wiring.bounds import event_limits, session_times, traffic_of
from insights.wiring.channels import channels_of, provider_line
from insights.wiring.classifiers import classifiers_of, looker
from insights.wiring.clock import SharedClock
from insights.wiring.intake import live_profiles, reception
from insights.wiring.post import post
from insights.wiring.secrets import personal_ring, sealer, signing_secret_of
from insights.wiring.watched import watch


@dataclass(frozen=True)
class Services:
    """Everything a process may use. Nothing in it has started yet."""

    settings: Settings
    clock: SharedClock
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

    async def start(self) -> None:
        """Begins what answers requests."""
        await self.profiles.start()
        self.recorder.start()
        self.forgetting.start()
        self.keys.start()

    async def stop(self) -> None:
        """Ends what answers requests: what waits is written first. The database stays open."""
        await self.recorder.stop()
        await self.forgetting.stop()
        await self.loader.close()
        await self.keys.close()
        await self.post.close()
        await self.classifiers.close()
        await self.profiles.stop()
        await self.plans.close()


@dataclass(frozen=True, slots=True)
class Place:
    """Which process of a group this is. ``folder``: where the group's processes find each other."""

    number: int = 0
    folder: Path | None = None


def build(settings: Settings, urls: DatabaseUrls, place: Place = Place()) -> Services:
    """The services of one process."""
    clock = SharedClock()
    ring = personal_ring(settings)
    database = Database(urls, ring=ring)
    meters = Meters(tracing.tracer())
    profiles = live_profiles(settings)
    sealing = sealer(settings)
    fields = FieldBook(database, sealing)
    recorder = Recorder(
        database,
        times=session_times(settings),
        max_queued=settings.max_queued_events,
        # What is known of a person has changed: the next request of each of their devices reads it again.
        on_people_changed=profiles.forget_all,
        on_flushed=meters.flushed,
        fields=fields,
    )
    traffic = traffic_of(settings)
    watch(meters, database, recorder, profiles, traffic)
    signing_secret = signing_secret_of(settings)
    line = provider_line(settings)
    composer = MessageComposer(
        public_url=settings.public_url, shop_url=settings.shop_url, signing_secret=signing_secret
    )
    ways = channels_of(settings, sealing, line)
    wishes, classifiers = classifiers_of(settings, database)

    def forgets(project_id: UUID, visitor_id: UUID) -> None:
        profiles.forget(project_id, visitor_id)
        fields.outdate(project_id)

    way_in = reception(settings, database, recorder, profiles)
    return Services(
        settings=settings,
        clock=clock,
        signing_secret=signing_secret,
        database=database,
        keys=KeyRing(database, on_changed=fields.outdate),
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
            database, classifiers, clock, lease=timedelta(seconds=settings.lease_seconds), meters=meters
        ),
        runner=Runner(
            database,
            channels=KeptChannels(ways),
            composer=composer,
            facts=VisitorFacts(),
            knowledge=VisitorKnowledge(),
            holdout=PeopleHeldOut(),
            clock=clock,
            lease=timedelta(seconds=settings.lease_seconds),
            meters=meters,
        ),
        uptake=Uptake(
            database,
            knowledge=VisitorKnowledge(),
            people=ShopPeople(),
            scene=VisitScene(),
            clock=clock,
            lease=timedelta(seconds=settings.lease_seconds),
            meters=meters,
        ),
        learner=Learner(database, clock),
        looker=looker(settings, database, classifiers, clock),
        messenger=Messenger(
            database,
            ways,
            Letters(database, public_url=settings.public_url, signing_secret=signing_secret),
            sealing,
            clock,
            allow_private=settings.webhook_allow_private,
        ),
        meters=meters,
        exposition=Exposition(meters.registry, number=place.number, folder=place.folder),
        readiness=Readiness(
            database,
            migrate.revisions(shipped("migrations")),
            lambda: recorder.blocked,
            lambda: recorder.trouble or (OTHER_KEY if ring.lacking else profiles.trouble),
            clock=clock.machine,
            follow=clock.follow,
        ),
        traffic=traffic,
        forgetting=Forgetting(urls, forgets),
    )


OTHER_KEY: Final = "personal data here was sealed with another key: set WHYLEFT_SECRET as it was"
