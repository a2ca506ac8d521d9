"""What an operator is shown of the parts of a process, read whenever somebody looks."""

from __future__ import annotations

from adapters.postgres.engine import Database
from adapters.telemetry.meters import Meters
from insights.events.record import Recorder
from insights.profiles.store import LiveProfiles
from insights.traffic.limits import Traffic


def watch(meters: Meters, database: Database, recorder: Recorder, profiles: LiveProfiles, traffic: Traffic) -> None:
    """Shows the numbers that these keep of themselves."""
    meters.count("whyleft_requests_turned_away", "Requests answered 429 by a limit.", lambda: traffic.turned_away)
    meters.watch("whyleft_recorder_queued_events", "Events that wait for their commit.", lambda: recorder.queued)
    meters.watch("whyleft_live_profiles", "Visitors whose profile is in memory.", lambda: len(profiles))
    meters.watch(
        "whyleft_live_store_lost",
        "1 while the store that processes share cannot be used.",
        lambda: profiles.trouble is not None,
    )
    meters.count("whyleft_live_store_failures", "How often it was lost.", lambda: profiles.failures)
    meters.count(
        "whyleft_profiles_stale",
        "Requests whose profile was behind what another process wrote.",
        lambda: recorder.stale,
    )
    meters.count(
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
