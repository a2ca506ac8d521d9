"""Hands an operation the services that the wiring built."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from insights.wiring.services import Services


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


FromRequest = Annotated[Services, Depends(_services)]
