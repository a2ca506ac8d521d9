"""What recovery needs from outside: codes redeemed at the till, tickets reported as fixed, people who opt out."""

from __future__ import annotations

import html
from datetime import UTC, datetime

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from flows.triggers import signal
from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.recovery import codes, unsubscribe

router = APIRouter(prefix="/v1", tags=["recovery"])


class Redeemed(BaseModel):
    """The code was good and is used up now."""

    percent: int


class Fixed(BaseModel):
    """How many waiting runs go on because of it."""

    runs: int = Field(ge=0)


@router.post("/codes/{code}/redeem", response_model=Redeemed)
async def redeem(code: str, caller: SecretCaller, services: FromRequest) -> Redeemed:
    """Uses a discount code up. Of any number of simultaneous calls exactly one succeeds."""
    async with services.database.transaction(caller.project_id) as tx:
        return Redeemed(percent=await codes.redeem(tx, caller.project_id, code, datetime.now(UTC)))


@router.post("/tickets/{fingerprint}/fixed", response_model=Fixed)
async def ticket_fixed(fingerprint: str, caller: SecretCaller, services: FromRequest) -> Fixed:
    """Says that an error is fixed: those who met it and wait for the news get it."""
    async with services.database.transaction(caller.project_id) as tx:
        return Fixed(runs=await signal(tx, caller.project_id, "ticket_fixed", fingerprint, datetime.now(UTC)))


@router.get("/unsubscribe", include_in_schema=False)
async def ask_to_unsubscribe(services: FromRequest, token: str = Query()) -> Response:
    """A page with one button. A GET changes nothing: mail scanners follow links."""
    claim = unsubscribe.verify(services.signing_secret, token)
    return _page(
        "Stop these messages?",
        f"<p>You will get no more {html.escape(claim.channel)} messages at {html.escape(claim.recipient)}.</p>"
        f'<form method="post"><button>Unsubscribe</button></form>',
    )


@router.post("/unsubscribe", include_in_schema=False)
async def do_unsubscribe(services: FromRequest, token: str = Query()) -> Response:
    """One-click unsubscribe (RFC 8058): a mail program posts here without asking further."""
    claim = unsubscribe.verify(services.signing_secret, token)
    async with services.database.transaction(claim.project_id) as tx:
        await unsubscribe.apply(tx, claim, datetime.now(UTC))
    return _page("Done", f"<p>No more {html.escape(claim.channel)} messages go to {html.escape(claim.recipient)}.</p>")


def _page(title: str, content: str) -> Response:
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>{title}</title><link rel="stylesheet" href="/app/static/viewer.css">'
        f'<main class="narrow"><h1>{title}</h1>'
        f"{content}</main></html>"
    )
    headers = {
        "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    return Response(page, media_type="text/html", headers=headers)
