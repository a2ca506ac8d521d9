"""Where providers report: finds the channel by its address, has the provider prove itself, takes the reports in.

Whoever is told 200 was heard: everything is committed. A proved call that says nothing to us is told 200 too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import structlog
from sqlalchemy.exc import DBAPIError

from adapters.channels.contract import Callback, CallbackRefused
from adapters.postgres.engine import Database
from flows.feedback import Taken, take_in
from insights.channels.ways import ProjectChannels
from insights.errors import KeyRefused, Unavailable
from insights.models import ChannelSetup
from insights.vocabulary.addresses import read_address

log = structlog.get_logger()


class Callbacks:
    """The way in for providers' reports."""

    def __init__(self, database: Database, channels: ProjectChannels) -> None:
        self._database = database
        self._channels = channels

    async def hear(self, address: str, url: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Taken:
        """``headers`` by lower-case names, ``body`` as it came, ``url`` as the provider was told it.

        Raises KeyRefused when the caller is not proved, Unavailable.
        """
        where = read_address(address)
        # An unknown address is refused as a wrong signature is, so that nobody learns which addresses there are.
        if where is None:
            raise _refused("this address is not complete; copy it from the channel's page")
        project_id, channel_id = where
        try:
            async with self._database.transaction(project_id) as tx:
                row = await tx.get(ChannelSetup, (project_id, channel_id))
            if row is None:
                raise _refused("there is no such channel")
            try:
                events = await self._channels.opened(row).parse_callback(Callback(url, headers, body, now))
            except CallbackRefused as error:
                log.warning("callback_refused", kind=row.kind, channel=str(row.id), why=str(error))
                raise _refused(str(error)[:1].lower() + str(error)[1:].rstrip(".")) from None
            async with self._database.transaction(project_id) as tx:
                taken = await take_in(tx, project_id, channel_id, row.word, events, now)
        except (DBAPIError, OSError, TimeoutError) as error:
            log.warning("callback_not_stored", error=type(error).__name__)
            raise Unavailable("The database cannot be reached. Nothing was stored; send the same again.") from error
        log.info("callback_heard", kind=row.kind, new=taken.new, repeated=taken.repeated, stray=taken.stray)
        return taken


def _refused(why: str) -> KeyRefused:
    return KeyRefused(f"This report is not taken: {why}.")
