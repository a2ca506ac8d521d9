"""Asking a provider to forget somebody: who is meant, and what it may answer.

Every call of an erasure is one whose repeat does nothing more, so a broken one is tried again and never ``Unknown``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.channels.contract import Accepted, Rejected, Result, Retry, SendIntent, Suppress, Unknown
from adapters.channels.phone import PhoneInvalid, e164

NOBODY: Final = "It knew nobody by these names."
NOTHING_TO_GO_BY: Final = "Nothing is known of them that it knows people by."


@dataclass(frozen=True, slots=True)
class Named:
    """Everything that somebody goes by; ``key`` is the same at every attempt. Its repr says nothing of them.

    ``emails`` in small letters, ``phones`` in E.164, ``visitors`` the ids of their devices; each once.
    """

    key: str
    emails: tuple[str, ...] = field(default=(), repr=False)
    phones: tuple[str, ...] = field(default=(), repr=False)
    user_ids: tuple[str, ...] = field(default=(), repr=False)
    visitors: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(
        cls,
        key: str,
        emails: Iterable[str],
        phones: Iterable[str],
        user_ids: Iterable[str],
        visitors: Iterable[str] = (),
    ) -> Named:
        """As they were said; what is no address or number is left out."""
        spelled = {email.strip().lower() for email in emails}
        return cls(
            key,
            tuple(sorted(email for email in spelled if "@" in email)),
            tuple(sorted({number for phone in phones if (number := _number(phone))})),
            tuple(sorted({name.strip() for name in user_ids} - {""})),
            tuple(sorted(set(visitors))),
        )


@dataclass(frozen=True, slots=True)
class CannotErase:
    """The provider has no call for it, or this channel's key may not use it; ``where`` says where somebody does it."""

    where: str


Erased = Accepted | Retry | Rejected | CannotErase
"""``Accepted.detail`` says what the provider will do; Rejected: it never will as it is, and a person must look."""


def told_to_erase(person: Named) -> dict[str, Any] | None:
    """What a webhook is posted: every name of theirs, by kind. None: there is none."""
    names = {"emails": person.emails, "phones": person.phones, "user_ids": person.user_ids, "visitors": person.visitors}
    known = {kind: list(found) for kind, found in names.items() if found}
    return {"type": "person.erase", "data": known} if known else None


def settled(result: Result) -> Accepted | Retry | Rejected:
    """What an answer to a send means where a repeat does no harm."""
    if isinstance(result, Unknown):
        return Retry(result.why)
    return Accepted() if isinstance(result, Suppress) else result


async def by_removing(send: Callable[[SendIntent], Awaitable[Result]], person: Named, *known_by: str) -> Erased:
    """Lets an audience go of everybody by these names. ``known_by``: which of email, phone, user_id it knows."""
    names = {"email": person.emails, "phone": person.phones, "user_id": person.user_ids}
    wanted = [(kind, name) for kind in known_by for name in names[kind]]
    for number, (kind, name) in enumerate(wanted):
        result = settled(await send(SendIntent(f"{person.key}/{number}", None, {"do": "remove", kind: name})))
        if not isinstance(result, Accepted):
            return result
    return Accepted(detail="They were taken out of the audience." if wanted else NOTHING_TO_GO_BY)


def _number(phone: str) -> str:
    try:
        return e164(phone)
    except PhoneInvalid:
        return ""
