"""GET /v1/reports/reasons: from stored insights to the dominant reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from insights.models import Insight, Session, Visitor
from insights.vocabulary.ids import uuid7
from tests.api.conftest import Api


async def left(api: Api, page: str, reason: str, *, kind: str = "abandoned", hours_ago: float = 1, **seen: str) -> UUID:
    at, session_id, visitor_id = datetime.now(UTC) - timedelta(hours=hours_ago), uuid7(), uuid4()
    async with api.services.database.transaction(api.project_id) as tx:
        tx.add(Visitor(project_id=api.project_id, id=visitor_id, first_seen_at=at, traits={}, consent={}))
        await tx.flush()
        tx.add(
            Session(
                project_id=api.project_id,
                id=session_id,
                visitor_id=visitor_id,
                started_at=at,
                last_event_at=at,
                last_received_at=at,
                closed_at=at,
                exit_path=page,
                source={"utm_source": seen.get("utm_source", "mail")},
                client={"viewport": seen.get("viewport", "1200x800"), "bot": "bot" in seen},
            )
        )
        await tx.flush()
        # The one before it was another: only the current one may count.
        for superseded, said in ((at, "unclear" if kind == "abandoned" else "urgency"), (None, reason)):
            tx.add(
                Insight(
                    project_id=api.project_id,
                    id=uuid7(),
                    session_id=session_id,
                    visitor_id=visitor_id,
                    kind=kind,
                    reason=said,
                    confidence=0.9,
                    narrative="",
                    evidence=[],
                    suggested_actions=[],
                    classifier="evidence-2",
                    timeline_hash="",
                    created_at=at,
                    superseded_at=superseded,
                )
            )
    return session_id


async def test_the_dominant_reason_of_a_page_comes_with_the_sessions_behind_it(api: Api) -> None:
    dear = [await left(api, "/pricing", "price_hesitation") for _ in range(7)]
    await left(api, "/pricing", "distraction")
    await left(api, "/pricing", "technical_error", hours_ago=30)
    for _ in range(9):
        await left(api, "/cart", "technical_error")
    for _ in range(20):
        await left(api, "/pricing", "unclear", bot="yes")
    asked = {"page": "/pricing", "hours": "24"}
    said = (await api.client.get("/v1/reports/reasons", params=asked, headers=api.headers)).json()
    assert said["sessions"] == 8
    assert said["dominant"]["reason"] == "price_hesitation"
    assert said["dominant"]["leads"] and said["dominant"]["action"] == "compare_value"
    assert said["dominant"]["low"] < said["dominant"]["share"] < said["dominant"]["high"]
    assert set(said["dominant"]["session_ids"]) == {str(one) for one in dear}
    assert said["words"].startswith("price hesitation is named most: 87 % (")


async def test_conversions_devices_and_sources_are_asked_apart(api: Api) -> None:
    await left(api, "/thanks", "social_proof", kind="converted", viewport="390x800", utm_source="ads")
    await left(api, "/thanks", "value_fit", kind="converted", hours_ago=2)

    async def reasons(**asked: str) -> list[str]:
        answer = await api.client.get("/v1/reports/reasons", params=asked, headers=api.headers)
        return sorted(one["reason"] for one in answer.json()["reasons"])

    assert await reasons() == []
    assert await reasons(kind="converted") == ["social_proof", "value_fit"]
    assert await reasons(kind="converted", device="phone") == ["social_proof"]
    assert await reasons(kind="converted", utm_source="mail") == ["value_fit"]
    assert await reasons(kind="converted", last="1") == ["social_proof"]


async def test_each_page_can_be_seen_apart(api: Api) -> None:
    for _ in range(3):
        await left(api, "/cart", "technical_error")
    await left(api, "/pricing", "price_hesitation")
    answer = await api.client.get("/v1/reports/reasons", params={"by": "page"}, headers=api.headers)
    cells = [(one["name"], one["sessions"], one["first"]["reason"]) for one in answer.json()["cells"]]
    assert cells == [("/cart", 3, "technical_error"), ("/pricing", 1, "price_hesitation")]


@pytest.mark.parametrize("asked", [{"hours": "0"}, {"device": "fridge"}, {"page": "a\0b"}, {"half_life_hours": "nan"}])
async def test_a_question_that_makes_no_sense_is_refused_by_name(api: Api, asked: dict[str, str]) -> None:
    answer = await api.client.get("/v1/reports/reasons", params=asked, headers=api.headers)
    assert answer.status_code in (400, 422)
    assert next(iter(asked)) in answer.text


async def test_another_projects_sessions_and_strangers_see_nothing(api: Api) -> None:
    assert (await api.client.get("/v1/reports/reasons")).status_code == 401
    answer = await api.client.get("/v1/reports/reasons", headers=api.headers)
    assert answer.json()["sessions"] == 0 and answer.json()["dominant"] is None
