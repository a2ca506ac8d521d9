"""What becomes of a form that was sent: said on the page that follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

DONE: Final = {
    "saved": "Saved.",
    "key_revoked": "The key is revoked: it opens nothing any more.",
    "not_asked": "Whoever has the write key may say who somebody is.",
    "observed": "What is signed is counted; everybody is believed as before.",
    "required": "Names that are not signed are not believed any more.",
    "secret_ended": "What was signed with it is not believed any more.",
    "role_given": "They have their new role; they log in again for it.",
    "member_out": "They are out of the project, and their logins into it are over.",
    "uninvited": "The invitation is revoked: its link works no more.",
    "logged_out": "Logged out there.",
    "noted": "Taken down.",
    "asked_again": "It is asked again within a minute.",
    "promoted": "Promoted: running processes decide by it within seconds.",
    "rolled_back": "The decision is given back to the policy before.",
    "subscribed": "They are on the list.",
    "unsubscribed": "They are off the list.",
    "paused": "Paused: nothing starts it any more. Runs under way go on to their end.",
    "resumed": "It runs again, for what happens from now on.",
    "segment_made": "Made. Who fits is in it from their next visit on, and at once wherever somebody asks.",
    "action_made": "Made: pages of the shop show it within seconds, where it fits.",
    "switched_off": "It is off: nobody is shown it, nor the built-in one of its kind.",
    "switched_on": "It is on: pages of the shop show it within seconds, where it fits.",
    "removed": "It is gone.",
    "archived": "Archived. Its runs under way are cancelled.",
    "restored": "It is back, and paused.",
    "published": "It is live, for what happens from now on.",
    "taken_back": "The draft is what that version was: look at what differs, then publish it.",
    "at_work": "Put back to work.",
}
"""What may be said, by the word that stands in the address: nobody else's words get onto a page."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A form that was not taken: the headline, what to do, what was typed (field → text), the status it is answered
    with, and what stands beside its fields (field → what is wrong with it)."""

    title: str
    text: str
    typed: Mapping[str, str]
    status: int
    beside: Mapping[str, str]

    @property
    def first(self) -> str:
        """The first faulty field in the form's order, which browsers send it in; "" where none is told."""
        return next((name for name in (*self.typed, *self.beside) if name in self.beside), "")


def done(request: Request) -> str:
    """What the form before this page did, or ""."""
    return DONE.get(request.query_params.get("done", ""), "")


def refusal(request: Request) -> Refusal | None:
    """Why this page is shown again instead of what its form was for."""
    return getattr(request.state, "refusal", None)


def refuse(request: Request, refused: Refusal) -> None:
    """Has the next page of this request say so."""
    request.state.refusal = refused
