"""How long a question and an answer are, in tokens."""

from __future__ import annotations

import json
import re
from typing import Any

from bench.insights.asked import bound, timeline_of
from bench.report import Figure
from insights.classification.prompt import ask_about


def tokens(text: str) -> int:
    """A cautious count: words in pieces of six letters, numbers in pieces of three digits, marks in pairs.

    Tokenizers in use today have most short words and many pairs of marks whole; none comes along to ask.
    """
    pieces = re.findall(r" ?[A-Za-z]+|\d{1,3}| ?[^\sA-Za-z\d]{1,2}|\n", text)
    return sum(-(-len(piece.strip()) // 6) if piece.strip().isalpha() else 1 for piece in pieces)


async def sizes() -> list[Figure]:
    """What a visit of 200 events takes in, with the instructions, and what a long answer takes out."""
    steps: list[tuple[str, dict[str, Any]]] = []
    for n in range(40):
        name = f"{('Steel', 'Glass', 'Copper', 'Travel')[n % 4]} kettle {n % 16}"
        steps += [
            ("page_viewed", {"path": f"/product/kettle-{n % 16}", "title": name}),
            ("product_viewed", {"product_id": "k", "name": name, "category": "kettles", "price_minor": 6900 + 10 * n}),
            ("scrolled", {"depth": round(0.2 + n / 60, 2), "section": "reviews"}),
            ("engaged", {"ms": 3000 + 10 * n}),
            ("clicked", {"selector": "button.add", "role": "button", "label": "Add to basket"}),
        ]
    question = ask_about(timeline_of(steps))
    count = tokens(question.prompt.instructions) + tokens(question.prompt.material)
    story = "They reached the payment step, met the same failing request three times and left within a minute of it. "
    answer = {"kind": "abandoned", "reason": "price_hesitation", "confidence": 0.87, "narrative": story * 2}
    out = tokens(json.dumps({"insight": answer | {"evidence": [f"e{n}" for n in range(150, 162)]}}))
    return [
        bound("tokens in at 200 events, estimated with caution", count, "", 3_500, n=len(question.events)),
        Figure("of these, an event", round(tokens(question.prompt.material) / len(question.events), 1), ""),
        bound("tokens out of a long answer, estimated", out, "", 300),
    ]
