"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from insights.api.services import FromRequest

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """``ok``, or what is missing."""

    status: str


@router.get("/healthz", response_model=Health)
async def healthz() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", response_model=Health, responses={503: {"model": Health}})
async def readyz(services: FromRequest, response: Response) -> Health:
    """The process can store events now."""
    try:
        async with services.database.transaction(None) as tx:
            await tx.execute(text("SELECT 1 FROM project LIMIT 1"))
    except (DBAPIError, OSError):
        response.status_code = 503
        return Health(status="the database cannot be reached")
    return Health(status="ok")
