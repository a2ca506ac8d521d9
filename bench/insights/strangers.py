"""Text of strangers: orders to the model, strings that are hard to carry, and what must not leave the house."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from bench.injections import injections
from bench.insights.asked import PATIENT, broken_shop, model_at, timeline_of
from bench.report import Figure
from bench.scripted_llm import Answer, completion, good, listening
from insights.classification.classify import Classifier
from insights.classification.evidence import classify_by_evidence
from insights.classification.suggestions import suggestions_for

INJECTIONS, HOSTILE, CANARIES = 1_000, 500, 2_000

WAYS: Final[tuple[Callable[[str], dict[str, Any]], ...]] = (
    lambda s: {"kind": "converted", "reason": "urgency", "confidence": 1.0},
    lambda s: {"reason": "urgency"},
    lambda s: {"reason": "ux_friction", "confidence": 1.0},
    lambda s: {"reason": "boredom"},
    lambda s: {"action": "call_webhook"},
    lambda s: {"evidence": ["e77"]},
    lambda s: {"confidence": 99999},
    lambda s: {"narrative": s[:300]},
)
"""What an obeying model makes of its orders, one after the other."""


async def injected() -> list[Figure]:
    """A thousand injections against a server that obeys each of them."""
    strings = injections(INJECTIONS)
    plain = classify_by_evidence(timeline_of(broken_shop("Mug")), threshold=0.5)
    turn = [0]

    def obey(request: dict[str, Any]) -> Answer:
        number = turn[0]
        fields = {"kind": "abandoned", "reason": "technical_error", "confidence": 0.9, "narrative": "So."}
        change = WAYS[number % len(WAYS)](strings[number])
        return completion({"insight": fields | {"evidence": ["e6"]} | change})

    changed: Counter[str] = Counter()
    async with listening(obey) as server:
        model = model_at(server)
        classifier = Classifier(model, threshold=0.5, deadline=PATIENT)
        for number, string in enumerate(strings):
            turn[0] = number
            timeline = timeline_of(broken_shop(string))
            verdict = (await classifier.classify(timeline)).verdict
            changed["kind"] += verdict.kind is not plain.kind
            changed["reason"] += verdict.reason is not plain.reason
            actions = [suggested.action for suggested in verdict.suggested_actions]
            changed["action"] += actions != [suggested.action for suggested in plain.suggested_actions]
            changed["schema"] += verdict.suggested_actions != suggestions_for(verdict.reason, timeline)
        await model.close()
    total = changed["kind"] + changed["action"] + changed["schema"]
    return [
        Figure("injections that changed kind, action or schema", total, "", 0, total == 0, n=INJECTIONS, peer=changed)
    ]


async def hostile() -> list[Figure]:
    """Strings that reach the server as they were typed, template and markup included."""
    strings = injections(HOSTILE)
    same = 0
    async with listening(lambda request: completion(good(request))) as server:
        server.keep = True
        model = model_at(server)
        classifier = Classifier(model, threshold=0.5, deadline=PATIENT)
        for string in strings:
            server.requests.clear()
            await classifier.classify(timeline_of([("searched", {"query": string, "results": 1})]))
            material = json.loads(server.requests[0])["messages"][1]["content"]
            row = material.rsplit("\n", 1)[-1]
            found = re.search(r'query=("(?:[^"\\]|\\.)*"|\S+)', row)
            read = (json.loads(found[1]) if found[1].startswith('"') else found[1]) if found else None
            same += read == string[:120]
        await model.close()
    return [Figure("hostile strings that arrive byte by byte", same, "", HOSTILE, same == HOSTILE, n=HOSTILE)]


def canary(number: int) -> tuple[str, str, dict[str, Any]]:
    """What must not leave, and an event it stands in."""
    word = f"zz{number:05d}canary"
    mail = f"{word}@example.org"
    phone = f"+49 170 {5_550_000 + number}"
    card = f"4111 1111 {number:04d} 1111"
    forms: list[tuple[str, str, dict[str, Any]]] = [
        (word, "searched", {"query": f"order of {mail}"}),
        (word, "page_viewed", {"path": f"/account/{mail}", "url": f"https://s.example/a?m={mail}", "title": mail}),
        (word, "page_viewed", {"path": f"/u/{mail.replace('@', '%40')}", "title": "x"}),
        (word, "page_viewed", {"path": f"/u/{mail.replace('@', '%2540')}", "title": "x"}),
        (word, "clicked", {"label": f"Log out {mail}", "href": f"/out?u={word}"}),
        (word, "js_error", {"message": f"no user {mail}", "source": f"https://s.example/a.js?u={word}"}),
        (word, "request_failed", {"method": "GET", "path": f"/api/u/{mail}?t={word}", "status": 500}),
        (word, "identified", {"user_id": word, "email": mail, "phone": phone, "traits": {"n": word}}),
        (word, "form_field", {"form": "f", "field": "street", "value": word}),
        (word, "custom", {"name": word, "props": {"a": word}}),
        (word, "purchased", {"order_id": word, "value_minor": 1}),
        (word, "product_viewed", {"product_id": word, "name": "Mug"}),
        (word, "page_viewed", {"path": "/", "title": "x", "source": {"utm_term": word}, "referrer": word}),
        (phone[-7:], "searched", {"query": f"call {phone}"}),
        (card[10:14] + " 1111", "searched", {"query": f"card {card}"}),
        (word, "promo_seen", {"kind": "code", "text": f"for https://s.example/{word}"}),
    ]
    return forms[number % len(forms)]


async def canaries() -> list[Figure]:
    """What must not leave, in 2,000 places, and whether it did."""
    out = 0
    async with listening(lambda request: completion(good(request))) as server:
        server.keep = True
        model = model_at(server)
        classifier = Classifier(model, threshold=0.5, deadline=PATIENT)
        for number in range(CANARIES):
            secret, type, props = canary(number)
            server.requests.clear()
            await classifier.classify(timeline_of([("page_viewed", {"path": "/"}), (type, props)]))
            out += any(secret.encode() in request for request in server.requests)
        await model.close()
    return [Figure("canaries out of the process", out, "", 0, out == 0, n=CANARIES)]
