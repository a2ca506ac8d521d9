"""What every long-running command needs: where it is reached, where operators look, and how the process ends."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

import structlog
from sqlalchemy.exc import OperationalError
from starlette.types import ASGIApp

from insights.api.health import Operators
from insights.channels.opening import refuse_other_keys
from insights.serving.listener import authority, bind
from insights.serving.server import Drain
from insights.settings import PUBLIC_URL, SettingInvalid, Settings
from insights.wiring.secrets import lost_keys
from insights.wiring.services import Services

log = structlog.get_logger()

ASK_AGAIN: Final = 1.0


def tell_where(settings: Settings, host: str, listener: socket.socket, processes: int = 1) -> None:
    """Says in the log where the API and the viewer are, and whether links in messages would lead elsewhere."""
    address = f"http://{authority(host.strip('[]'), listener.getsockname()[1])}"
    log.info("serving", api=address, viewer=f"{address}/app", processes=processes)
    if settings.public_url == PUBLIC_URL != address:
        log.warning("links_in_messages_lead_elsewhere", to=PUBLIC_URL, set="WHYLEFT_PUBLIC_URL")


def operators_listener(settings: Settings, *, shared: bool = False) -> socket.socket | None:
    """The socket of WHYLEFT_METRICS_BIND, None when that is empty. Raises SettingInvalid, PortTaken."""
    if not settings.metrics_bind:
        return None
    host, _, port = settings.metrics_bind.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise SettingInvalid(f"WHYLEFT_METRICS_BIND is {settings.metrics_bind!r}: write host:port, as 127.0.0.1:9321.")
    return bind(host, int(port), shared=shared)


def operators(services: Services, listener: socket.socket | None) -> list[tuple[ASGIApp, socket.socket]]:
    """The application behind that socket."""
    return [] if listener is None else [(Operators(services.readiness, services.exposition), listener)]


async def wait_for_database(services: Services, stop: asyncio.Event) -> None:
    """Returns when the schema is this code's and its keys open what is sealed there, or when ``stop`` is set.

    Raises SealedOtherwise.
    """
    while not stop.is_set():
        await services.readiness.wait_for_schema(stop)
        try:
            await refuse_other_keys(services.database, services.sealer, lost_keys(services.settings))
            return
        except (OperationalError, OSError) as error:
            log.warning("waiting", why="the database went away", error=type(error).__name__)
            await asyncio.sleep(ASK_AGAIN)


def drain_of(services: Services) -> Drain:
    """How this process ends."""
    settings = services.settings
    return Drain(services.readiness.drain, settings.drain_delay_seconds, settings.drain_seconds)
