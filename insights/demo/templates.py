"""How the demo's pages are made from templates: always escaped, and a misspelt name is an error, not a blank."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def page_templates(folder: Path) -> Environment:
    """The templates in ``folder``, with a filter ``money``: integer minor units → ``€12.50``."""
    templates = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["money"] = _money
    return templates


def _money(minor: int) -> str:
    return f"€{minor // 100:,}.{minor % 100:02d}"
