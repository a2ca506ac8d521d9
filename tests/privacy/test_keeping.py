"""What is kept: consents with their text, only the fields that were asked for, and not for longer than was said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, text, update

from flows.models import Conversion, Suppression
from insights.access.keys import create_key
from insights.events.kept import kept_props, kept_url, only_allowed
from insights.models import Consent, Event, IdentityLink, Person, Session, Visitor
from insights.privacy.requests import carry_out
from insights.privacy.retention import kept_by, retain
from insights.vocabulary.ids import uuid7
from tests.api.conftest import Api, api
from tests.sources.senders import SECRET, make, order, shopify

__all__ = ["api"]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.emails(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


async def rows(api: Api, model: Any) -> list[Any]:
    async with api.services.database.transaction(api.project_id) as tx:
        return list(await tx.scalars(select(model).where(model.project_id == api.project_id)))


async def test_every_consent_stays_with_its_text_whatever_order_it_comes_in(api: Api) -> None:
    later = api.event("consent_changed", {"marketing": False, "text_id": "news", "version": "4"})
    earlier = api.event(
        "consent_changed", {"marketing": True, "channels": ["email"], "text_id": "news", "version": "3"}
    )
    earlier["t"] -= 5000
    batch = api.batch(later)
    await api.send(batch)
    for _ in range(2):
        await api.send({**batch, "events": [earlier]})
    consents = sorted(await rows(api, Consent), key=lambda row: row.said_at)
    assert [(row.marketing, row.text_id, row.version) for row in consents] == [
        (True, "news", "3"),
        (False, "news", "4"),
    ]
    assert consents[0].channels == ["email"]
    [visitor] = await rows(api, Visitor)
    assert visitor.consent == {"marketing": False, "text_id": "news", "version": "4"}
    answer = await api.send(api.batch(api.event("consent_changed", {"marketing": True, "version": 3})))
    assert "props.version" in answer.json()["rejected"][0]["error"]


async def test_only_the_fields_that_a_project_asked_for_are_kept(api: Api) -> None:
    changed = await api.client.patch(
        "/v1/privacy/settings", headers=api.headers, json={"extra_fields": ["clicked.colour", "size"]}
    )
    assert changed.json() == {"keep_days": None, "extra_fields": ["clicked.colour", "size"], "own": ["extra_fields"]}
    props = {"selector": "a", "colour": "red", "size": 4, "secret": "x"}
    events = [api.event("clicked", props), api.event("scrolled", {"depth": 0.5, "colour": "red"})]
    events.append(api.event("gift_wrapped", {"size": 3, "message": "dear Ada"}))
    assert (await api.send(api.batch(*events))).json()["accepted"] == 3
    kept = {row.type: row.props for row in await rows(api, Event)}
    assert kept["clicked"] == {"selector": "a", "colour": "red", "size": 4}
    assert kept["scrolled"] == {"depth": 0.5}
    assert kept["custom"] == {"name": "gift_wrapped", "props": {"size": 3}}
    # Other doors lead through the same list.
    await api.client.post(
        "/v1/track", json={"writeKey": api.write, "event": "Gift Chosen", "anonymousId": "a", "properties": {"x": "y"}}
    )
    assert "y" not in str([row.props for row in await rows(api, Event) if row.props.get("name") == "Gift Chosen"])


async def test_visits_past_their_days_go_and_returning_visitors_keep_what_is_new(api: Api) -> None:
    settings = {"keep_days": 30}
    assert (await api.client.patch("/v1/privacy/settings", headers=api.headers, json=settings)).status_code == 200
    # Somebody keeps all: no day goes as a whole, whose rows nobody counts.
    await create_key(api.services.database, "keeps all", "write", [])
    now = datetime.now(UTC)
    gone, back = uuid4(), uuid4()

    def visit(visitor: UUID, ago: timedelta) -> dict[str, Any]:
        ms = int((now - ago).timestamp() * 1000)
        event = {"id": str(uuid7(ms)), "t": ms, "type": "page_viewed", "props": {"path": "/"}}
        return api.batch(event, visitor=str(visitor), session=str(uuid7(ms)))

    for visitor, days in ((gone, 40), (back, 40), (back, 1), (gone, 90)):
        assert (await api.send(visit(visitor, timedelta(days=days)))).json()["accepted"] == 1
    [version] = [row.version for row in await rows(api, Visitor) if row.id == back]
    counts = await retain(api.services.database, 0, now)
    assert counts["event"] == 3
    assert [row.id for row in await rows(api, Visitor)] == [back]
    assert len(await rows(api, Session)) == len(await rows(api, Event)) == 1
    # Whoever holds their profile builds it anew.
    assert next(iter(await rows(api, Visitor))).version > version
    assert await retain(api.services.database, 0, now) == {}


async def test_who_bought_lately_at_a_till_is_kept_though_they_were_not_here_for_long(api: Api) -> None:
    await api.client.patch("/v1/privacy/settings", headers=api.headers, json={"keep_days": 30})
    now = datetime.now(UTC)
    path, _ = await make(api, "shopify", SECRET)
    for number, days in ((1, 40), (2, 3)):
        at = (now - timedelta(days=days)).isoformat()
        await shopify(api, path, "orders/create", order(number, source_name="pos", created_at=at))
    async with api.services.database.transaction(api.project_id) as tx:
        # As the worker does with what is no visit.
        await tx.execute(delete(Session))
        await tx.execute(update(Visitor).values(identified_at=now - timedelta(days=40)))
    await retain(api.services.database, 0, now)
    assert [row.key for row in await rows(api, Conversion)] == ["2"]
    assert len(await rows(api, Visitor)) == 1


async def test_a_clock_that_is_ahead_makes_nothing_old(api: Api) -> None:
    await api.client.patch("/v1/privacy/settings", headers=api.headers, json={"keep_days": 30})
    assert (await api.send(api.batch(api.event("page_viewed", {"path": "/"})))).json()["accepted"] == 1
    assert await retain(api.services.database, 30, datetime.now(UTC) + timedelta(days=365)) == {}
    assert len(await rows(api, Visitor)) == len(await rows(api, Event)) == 1


async def test_a_device_that_faded_takes_nothing_of_its_person_along(api: Api) -> None:
    """Ada's old laptop goes: that she opted out, who her telephone belongs to and that it is hers stay."""
    now = datetime.now(UTC)
    seen = now - timedelta(days=40)
    laptop, telephone, bob = uuid4(), uuid4(), uuid4()
    here = uuid7(int(now.timestamp() * 1000))
    links = [(laptop, "user_id", "ada"), (telephone, "user_id", "ada"), (bob, "email", "bob@x.example")]
    await api.client.patch("/v1/privacy/settings", headers=api.headers, json={"keep_days": 30})
    await api.send(api.batch(api.event("page_viewed", {"path": "/"}), visitor=str(telephone), session=str(here)))
    async with api.services.database.transaction(api.project_id) as tx:
        for visitor in (laptop, bob):
            tx.add(Visitor(project_id=api.project_id, id=visitor, first_seen_at=seen, email="ada@x.example"))
        for visitor, kind, name in [*links, ("ada", "email", "ada@x.example")]:
            subject_kind = "user_id" if visitor == "ada" else "visitor"
            tx.add(
                IdentityLink(
                    project_id=api.project_id,
                    subject_kind=subject_kind,
                    subject=str(visitor),
                    name_kind=kind,
                    name=name,
                    first_at=seen,
                    event_id=uuid4(),
                )
            )
        for visitor in (laptop, telephone):
            tx.add(Person(project_id=api.project_id, visitor_id=visitor, person_id=laptop))
        tx.add(Suppression(project_id=api.project_id, channel="email", recipient="ada@x.example", reason="no", at=seen))
    await retain(api.services.database, 0, now)
    assert [row.id for row in await rows(api, Visitor)] == [telephone]
    assert [row.recipient for row in await rows(api, Suppression)] == ["ada@x.example"]
    left = {(row.subject, row.name) for row in await rows(api, IdentityLink)}
    assert left == {(str(telephone), "ada"), ("ada", "ada@x.example")}
    assert [(row.visitor_id, row.person_id) for row in await rows(api, Person)] == [(telephone, laptop)]


async def test_a_project_that_says_nothing_is_kept_as_the_server_keeps_it(api: Api) -> None:
    kept = await kept_by(api.services.database, 0)
    assert kept.projects[api.project_id] is None
    assert kept.longest is None
    kept = await kept_by(api.services.database, 90)
    assert kept.projects[api.project_id] == 90


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"keep_days": 1}, "keep_days"),
        ({"keep_days": "x"}, "keep_days"),
        ({"extra_fields": [""]}, "extra_fields"),
        ({"extra_fields": ["a\x00"]}, ""),
        ({"other": 1}, "other"),
    ],
)
async def test_settings_that_make_no_sense_are_refused_by_name(api: Api, body: dict[str, Any], field: str) -> None:
    answer = await api.client.patch("/v1/privacy/settings", headers=api.headers, json=body)
    assert answer.status_code == 422
    assert field in answer.text
    nobody = await api.client.post("/v1/privacy/requests", headers=api.headers, json={"kind": "erase"})
    assert nobody.status_code == 400


async def test_an_erasure_is_the_projects_own_affair(api: Api) -> None:
    await api.send(api.batch(api.event("identified", {"email": "ada@shop.example"})))
    other = uuid4()
    async with api.services.database.transaction(other) as tx:
        assert await tx.scalar(select(func.count()).select_from(Visitor)) == 0
        assert (await tx.execute(text("DELETE FROM visitor"))).rowcount == 0  # type: ignore[attr-defined]
    assert len(await rows(api, Visitor)) == 1


@given(
    st.dictionaries(st.text(max_size=10), JSON, max_size=6), st.sampled_from(["clicked", "identified", "custom", "x"])
)
def test_whatever_props_hold_no_address_stays_and_the_rest_is_as_it_was(props: dict[str, Any], type_: str) -> None:
    before = repr(props)
    kept = kept_props(type_, props)
    assert repr(props) == before
    assert set(kept) <= set(props) | {"email", "phone", "traits", "user_id"}
    only_allowed(type_, props, frozenset())


@given(st.emails())
@example("0'@a.ac")
@example("o'neill@a.ac")
def test_an_address_in_a_url_or_a_text_is_not_kept(email: str) -> None:
    name, _, domain = email.partition("@")
    plain = name.replace("'", "").isalnum() and domain.isascii()
    for text_ in (f"https://x.example/?mail={email}&a=1", f"no order for {email}."):
        if plain:
            assert email not in str(kept_url(text_))
            assert email not in str(kept_props("searched", {"query": text_, "more": [{"a": text_}]}))
    assert kept_url("https://cdn.example/@scope/pkg") == "https://cdn.example/@scope/pkg"


async def test_the_list_is_told_to_whom_it_names_and_forgets_them_as_mails_would_be_addressed(api: Api) -> None:
    visitor = uuid4()
    async with api.services.database.transaction(api.project_id) as tx:
        values = {"email": "anna@b\u00fccher.example", "phone": "+49 170 1234567", "first_seen_at": datetime.now(UTC)}
        tx.add(Visitor(project_id=api.project_id, id=visitor, **values))
        for channel, recipient in (("email", "anna@xn--bcher-kva.example"), ("sms", "+491701234567")):
            line = {"channel": channel, "recipient": recipient, "reason": "unsubscribed", "at": datetime.now(UTC)}
            tx.add(Suppression(project_id=api.project_id, **line))
    asked = {"kind": "export", "visitor": str(visitor)}
    made = (await api.client.post("/v1/privacy/requests", json=asked, headers=api.headers)).json()
    told = (await api.client.get(f"/v1/privacy/requests/{made['id']}/export", headers=api.headers)).json()
    assert {row["channel"] for row in told["suppression"]} == {"email", "sms"}
    asked = {"kind": "erase", "visitor": str(visitor)}
    answer = await api.client.post("/v1/privacy/requests", json=asked, headers=api.headers)
    assert answer.status_code < 300, answer.text
    assert await carry_out(api.services.database, lambda project, visitor: None) == 1
    assert await rows(api, Suppression) == []
