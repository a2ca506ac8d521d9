"""Where the files that are no Python code are: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_CHECKOUT = {"migrations": "migrations", "sdk": "sdk-web/dist", "shop": "examples/shop"}


def shipped(name: str) -> Path:
    """The folder ``name`` ("migrations", "sdk" or "shop"). It may not exist yet: the SDK is built by `make setup`."""
    packaged = _PACKAGE / "_shipped" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / _CHECKOUT[name]
