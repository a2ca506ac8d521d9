"""Where the public data sets lie: beside the checkout, in a folder that is not ours to ship."""

from __future__ import annotations

import os
from pathlib import Path


def data_set(name: str) -> Path | None:
    """The file ``name`` in ``WHYLEFT_BENCH_DATA``, or else in ``shared/data`` of a folder above; None if not there."""
    if (named := os.environ.get("WHYLEFT_BENCH_DATA")) is not None:
        folders = [Path(named)]
    else:
        folders = [above / "shared" / "data" for above in Path(__file__).resolve().parents]
    return next((folder / name for folder in folders if (folder / name).is_file()), None)
