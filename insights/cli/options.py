"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[Path | None, typer.Option(help="Folder of the embedded database and other state.")]
ProjectName = Annotated[str, typer.Option(help="The project's name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
