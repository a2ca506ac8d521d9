"""Turns what can go wrong for a user into one sentence that says what to do."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import psycopg
from rich.console import Console
from sqlalchemy.exc import OperationalError

from adapters.channels.errors import ChannelMisconfigured
from adapters.postgres.embedded_errors import EmbeddedPostgresError
from adapters.postgres.engine import APP_ROLE, DatabaseUrlInvalid
from adapters.postgres.faults import first_line
from adapters.postgres.migrate import SchemaUnchanged
from adapters.postgres.partitions import PartitionsNotDropped
from adapters.postgres.personal import KeyUnknown
from flows.errors import FlowInvalid
from insights.errors import WhyleftError
from insights.sealing import SealedOtherwise
from insights.settings import SettingInvalid

screen = Console(stderr=True, highlight=False)
"""Where people read: standard output is for what a script reads."""


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Ends the process with one sentence where a stack trace would help nobody."""
    try:
        yield
    except SealedOtherwise as error:
        _end(error.detail, os.EX_CONFIG)
    except WhyleftError as error:
        _end(error.detail)
    except (
        EmbeddedPostgresError,
        DatabaseUrlInvalid,
        SettingInvalid,
        KeyUnknown,
        ChannelMisconfigured,
        PartitionsNotDropped,
        SchemaUnchanged,
    ) as error:
        _end(str(error))
    except FlowInvalid as error:
        _end("\n".join(f"{fault.pointer}: {fault.problem}; {fault.fix}" for fault in error.faults))
    except OperationalError as error:
        _end(_unusable(error.orig))
    except psycopg.OperationalError as error:
        _end(_unusable(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _unusable(error: BaseException | None) -> str:
    reason = first_line(error) if error else "no answer"
    if f'permission denied to set role "{APP_ROLE}"' in reason:
        return f"The login of WHYLEFT_DATABASE_URL may not act as {APP_ROLE}: GRANT {APP_ROLE} TO it, as a superuser."
    return f"The database cannot be used: {reason}. Check WHYLEFT_DATABASE_URL, or unset it to use the embedded one."


def _end(sentence: str, code: int = 1) -> None:
    screen.print(f"whyleft: {sentence}", style="red", markup=False)
    sys.exit(code)
