"""The ways in beside the events endpoint, and where live profiles are found."""

from __future__ import annotations

from adapters.live.resp import RedisUrlInvalid
from adapters.postgres.engine import Database
from insights.events.reception import Forgets, Reception
from insights.events.record import Recorder
from insights.profiles.in_memory import ProfilesInMemory
from insights.profiles.in_redis import ProfilesInRedis
from insights.profiles.store import LiveProfiles
from insights.settings import SettingInvalid, Settings
from insights.wiring.bounds import event_limits


def reception(settings: Settings, database: Database, recorder: Recorder, profiles: Forgets) -> Reception:
    """The way in for messages of other dialects."""
    return Reception(
        database,
        recorder,
        profiles,
        limits=event_limits(settings),
        gap_ms=int(settings.visit_gap_seconds * 1000),
    )


def live_profiles(settings: Settings) -> LiveProfiles:
    """Where this process finds live profiles. Raises SettingInvalid."""
    capacity = max(1, settings.live_visitors)
    if not settings.redis_url:
        return ProfilesInMemory(capacity=capacity)
    try:
        return ProfilesInRedis(settings.redis_url, timeout=settings.redis_timeout_seconds, capacity=capacity)
    except RedisUrlInvalid as error:
        raise SettingInvalid(str(error)) from error
