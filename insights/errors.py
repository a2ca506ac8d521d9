"""Errors a caller may see: each has an HTTP status and a sentence that says what to do.

WhyleftError
├── Refused            400  the input is wrong; names the field
├── KeyMissing         401
├── KeyRefused         401
├── OriginRefused      403
├── NotAllowed         403  the key is good, but not for this
├── NotFound           404
├── SessionStillOpen   409
├── CodeNotRedeemable  409 / 410
├── InUse              409
├── Changed            412  the ETag is not the current one
├── TooLarge           413
├── TooSlow            408
├── TooMany            429  try again after ``retry_after`` seconds
└── Unavailable        503  try again after ``retry_after`` seconds
"""

from __future__ import annotations

from typing import ClassVar


class WhyleftError(Exception):
    """Base of all errors that carry advice for the caller."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class Refused(WhyleftError):
    """The input cannot be accepted as it is."""

    status = 400
    title = "The request is malformed"


class KeyMissing(WhyleftError):
    """No key came with the request."""

    status = 401
    title = "A key is needed"


class KeyRefused(WhyleftError):
    """The key is unknown, revoked, or of the wrong kind."""

    status = 401
    title = "The key is not accepted"


class OriginRefused(WhyleftError):
    """The page's origin is not on the project's list."""

    status = 403
    title = "This origin is not allowed"


class NotAllowed(WhyleftError):
    """Whoever asks is known, and may not do this."""

    status = 403
    title = "This is not allowed"


class NotFound(WhyleftError):
    """No such thing in this project."""

    status = 404
    title = "Not found"


class SessionStillOpen(WhyleftError):
    """This session is open. Its insight appears after it closes."""

    status = 409
    title = "The session is still open"


class CodeNotRedeemable(WhyleftError):
    """The discount code was used before, or its time is over."""

    status = 409
    title = "The code cannot be redeemed"


class InUse(WhyleftError):
    """Something else depends on it, or has its name."""

    status = 409
    title = "It is in use"


class Changed(WhyleftError):
    """It is not as the caller saw it any more."""

    status = 412
    title = "It was changed meanwhile"


class Conflict(WhyleftError):
    """What is asked for does not go together with what there is; the text says why."""

    status = 409
    title = "Not possible now"


class TooLarge(WhyleftError):
    """The body is larger than the limit."""

    status = 413
    title = "The request is too large"


class Unavailable(WhyleftError):
    """The database cannot take this now. Nothing was acknowledged; send the same request again."""

    status = 503
    title = "Try again shortly"

    def __init__(self, detail: str, *, retry_after: int = 2) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class TooSlow(WhyleftError):
    """The request did not arrive whole in time. Nothing was stored."""

    status = 408
    title = "The request took too long to arrive"


class TooMany(WhyleftError):
    """More than the limit allows. Nothing was done; send the same request again later."""

    status = 429
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
