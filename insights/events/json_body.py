"""Reads a whole body that somebody sent as JSON."""

from __future__ import annotations

import json
from typing import Any

from insights.errors import Refused


def parsed(body: bytes) -> Any:
    """What the JSON in ``body`` says. Raises Refused."""
    try:
        return json.loads(body)
    except RecursionError:
        raise Refused("The JSON is nested too deeply.", field="body") from None
    except ValueError as error:
        raise Refused(f"The body is not JSON: {error}.", field="body") from None
