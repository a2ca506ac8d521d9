"""Refuses what an address asks for that its operation knows nothing of: a misspelt filter filters nothing, and whoever
sent it would take everything for what they asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from fastapi.routing import APIRoute


def check_parameters(request: Request) -> None:
    """Raises RequestValidationError for a parameter of the query that there is none of, or that comes twice: one of
    the two would be dropped."""
    if not request.query_params:
        return
    known = _parameters_of(request.scope["route"])
    for name, count in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            raise _refused(name, _unknown(name, known))
        if count > 1:
            raise _refused(name, f"comes {count} times; send it once")


def _parameters_of(route: APIRoute) -> list[str]:
    return sorted(field.alias for field in get_flat_params(route.dependant) if isinstance(field.field_info, Query))


def _unknown(name: str, known: Collection[str]) -> str:
    if not known:
        return "there is no such parameter; this operation takes none"
    near = get_close_matches(name.lower(), known, 1)
    meant = f"; did you mean {near[0]}?" if near else "."
    return f"there is no such parameter{meant} This operation takes {', '.join(known)}"


def _refused(name: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": "parameter_unknown", "loc": ("query", name[:100]), "msg": message}])
