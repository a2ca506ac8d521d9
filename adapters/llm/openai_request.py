"""What an OpenAI-compatible endpoint is asked, as JSON: for asking, for batches, and for showing what would be sent.

Apart from the client, for openai and instructor take a second to load: a process without a model never does.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from pydantic import BaseModel

from adapters.llm.port import MOST_TOKENS, Prompt

OPENAI_URL: Final = "https://api.openai.com/v1"


def first_request(model: str, prompt: Prompt, schema: type[BaseModel]) -> dict[str, Any]:
    """The JSON body of the first request that ``OpenAiModel.answer`` makes: for showing, and for batches."""
    return {
        "messages": [
            {"role": "system", "content": prompt.instructions},
            {"role": "user", "content": prompt.material},
        ],
        "model": model,
        "max_completion_tokens": MOST_TOKENS,
        "response_format": response_format(schema),
    }


@cache
def response_format(schema: type[BaseModel]) -> dict[str, Any]:
    """An answer that fits ``schema``, and nothing beside it."""
    json_schema = {"name": schema.__name__, "strict": True, "schema": _compact(schema.model_json_schema())}
    return {"type": "json_schema", "json_schema": json_schema}


def _compact(schema: object, *, names: bool = False) -> Any:
    """``schema`` without titles and descriptions, which cost tokens and say nothing. ``names``: keys are properties."""
    if isinstance(schema, list):
        return [_compact(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _compact(value, names=key in ("properties", "$defs") and not names)
        for key, value in schema.items()
        if names or key not in ("title", "description")
    }
