"""What recovery needs from outside: codes redeemed at the till, tickets reported as fixed."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from flows.triggers import signal
from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.recovery import codes

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
