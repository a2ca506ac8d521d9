"""What mail services report, in our words: whatever they write, it is read or left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.channels.email_services import postmark_events, resend_events, sendgrid_events
from adapters.channels.email_services.ses import events as ses_events
from adapters.channels.signed_calls import iso
from tests.channels.bounces import KEY, NOW, POSTMARK, RESEND, SENDGRID, SES


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**RESEND, "type": "email.sent"}, None),
        ({**RESEND, "type": "email.delivered"}, "delivered"),
        ({**RESEND, "data": {**RESEND["data"], "bounce": {"type": "Transient"}}}, "deferred"),  # type: ignore[dict-item]
        ({**RESEND, "type": "email.complained"}, "complained"),
        ({**RESEND, "data": {**RESEND["data"], "tags": {"whyleft_delivery": KEY}}}, "bounced"),  # type: ignore[dict-item]
        ({"type": "domain.created", "data": {}}, None),
        ([], None),
    ],
)
def test_what_resend_reports_is_read_in_our_words(body: Any, said: str | None) -> None:
    found = resend_events.events("id", body, NOW)
    assert [event.kind for event in found] == ([] if said is None else [said])
    assert all(event.key == KEY for event in found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"event": "processed"}, None),
        ({"event": "delivered"}, "delivered"),
        ({"event": "deferred"}, "deferred"),
        ({"type": "blocked"}, "rejected"),
        ({"event": "dropped", "reason": "Bounced Address"}, "bounced"),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, "unsubscribed"),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, "complained"),
        ({"event": "dropped", "reason": "Spam Content"}, "rejected"),
        ({"event": "spamreport"}, "complained"),
        ({"event": "group_unsubscribe"}, "unsubscribed"),
        ({"event": "group_resubscribe"}, "resubscribed"),
        ({"event": "open"}, "opened"),
        ({"event": "open", "sg_machine_open": True}, None),
        ({"event": "click", "url": "https://shop.example/cart"}, "clicked"),
    ],
)
def test_what_sendgrid_reports_is_read_in_our_words(change: dict[str, Any], said: str | None) -> None:
    found = sendgrid_events.events([{**SENDGRID[0], **change}], NOW)
    assert [event.kind for event in found] == ([] if said is None else [said])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"RecordType": "Delivery", "DeliveredAt": "2026-11-21T11:59:58Z"}, "delivered"),
        ({"Type": "SoftBounce", "Inactive": False}, "deferred"),
        ({"Type": "Blocked", "Inactive": False}, "rejected"),
        ({"Type": "SpamComplaint"}, "complained"),
        ({"RecordType": "SpamComplaint"}, "complained"),
        ({"RecordType": "Open"}, "opened"),
        ({"RecordType": "Click", "OriginalLink": "https://shop.example/cart"}, "clicked"),
        (
            {
                "RecordType": "SubscriptionChange",
                "SuppressSending": True,
                "SuppressionReason": "ManualSuppression",
                "ChangedAt": "2026-11-21T11:59:58Z",
            },
            "unsubscribed",
        ),
        ({"RecordType": "SubscriptionChange", "SuppressSending": True, "SuppressionReason": "HardBounce"}, "bounced"),
        ({"RecordType": "SubscriptionChange", "SuppressSending": False}, "resubscribed"),
        ({"RecordType": "Inbound"}, None),
    ],
)
def test_what_postmark_reports_is_read_in_our_words(change: dict[str, Any], said: str | None) -> None:
    found = postmark_events.events({**POSTMARK, **change}, NOW)
    assert [event.kind for event in found] == ([] if said is None else [said])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"eventType": "Delivery", "delivery": {"recipients": ["anna@example.com"]}}, "delivered"),
        ({"eventType": "Bounce", "bounce": {**SES["bounce"], "bounceType": "Transient"}}, "deferred"),  # type: ignore[dict-item]
        ({"eventType": "Bounce", "bounce": {**SES["bounce"], "bounceType": "Undetermined"}}, "rejected"),  # type: ignore[dict-item]
        (
            {"eventType": "Complaint", "complaint": {"complainedRecipients": [{"emailAddress": "anna@example.com"}]}},
            "complained",
        ),
        ({"eventType": "DeliveryDelay", "deliveryDelay": {}}, "deferred"),
        ({"eventType": "Reject", "reject": {"reason": "Bad content"}}, "rejected"),
        ({"eventType": "Rendering Failure", "failure": {}}, None),
        ({"eventType": "Click", "click": {"link": "https://shop.example/"}}, "clicked"),
        ({"eventType": "Send", "send": {}}, None),
    ],
)
def test_what_amazon_reports_is_read_in_our_words(change: dict[str, Any], said: str | None) -> None:
    found = ses_events("id", {**SES, **change}, NOW)
    assert [event.kind for event in found] == ([] if said is None else [said])


def test_times_are_read_however_many_digits_they_have() -> None:
    for text in (
        "2026-11-21T12:00:00Z",
        "2026-11-21T12:00:00.0000000Z",
        "2026-11-21T13:00:00.0+01:00",
        "2026-11-21T12:00",
    ):
        assert iso(text) == NOW
    for text in ("", "yesterday", None, 5, "2026-99-01T00:00:00Z"):
        assert iso(text) is None


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)
NAMES = (*SENDGRID[0], *POSTMARK, *SES, *RESEND, "tags", "data", "mail", "bounce", "click")


@settings(max_examples=300, deadline=None)
@given(
    change=st.dictionaries(st.sampled_from(NAMES), anything, max_size=4),
    inner=st.dictionaries(st.sampled_from(NAMES), anything, max_size=4),
)
def test_whatever_a_proved_provider_says_reading_it_raises_nothing(change: Any, inner: Any) -> None:
    resend_events.events("id", {**RESEND, **change}, NOW)
    resend_events.events("id", {**RESEND, "data": {**RESEND["data"], **inner}}, NOW)  # type: ignore[dict-item]
    sendgrid_events.events([{**SENDGRID[0], **change}, change, inner], NOW)
    postmark_events.events({**POSTMARK, **change}, NOW)
    ses_events("id", {**SES, **change}, NOW)
    ses_events("id", {**SES, "bounce": inner, "mail": {**SES["mail"], **inner}}, NOW)  # type: ignore[dict-item]
