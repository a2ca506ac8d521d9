"""What anybody may take of a process, and when visits end."""

from __future__ import annotations

from datetime import timedelta

from insights.events.flush import SessionTimes
from insights.events.wire import Limits
from insights.settings import SettingInvalid, Settings
from insights.traffic.addresses import ProxiesInvalid
from insights.traffic.limits import Traffic


def event_limits(settings: Settings) -> Limits:
    """How much a batch may hold."""
    return Limits(
        events=settings.max_batch_events,
        event_bytes=settings.max_event_bytes,
        clock_skew_ms=settings.clock_skew_seconds * 1000,
    )


def session_times(settings: Settings) -> SessionTimes:
    """When sessions close."""
    return SessionTimes(
        quiet=timedelta(seconds=settings.session_quiet_seconds),
        grace=timedelta(seconds=settings.session_grace_seconds),
    )


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
