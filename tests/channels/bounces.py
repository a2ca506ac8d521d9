"""A bounce of one message, as each mail service reports it."""

from __future__ import annotations

from datetime import UTC, datetime

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = "7b1f6a34-6c0e-4f0e-9d4e-0a4f7a0c1b11"
SENDER = {"sender": "mail@shop.example"}

RESEND = {
    "type": "email.bounced",
    "created_at": "2026-11-21T11:59:58.126Z",
    "data": {
        "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
        "to": ["anna@example.com"],
        "bounce": {"type": "Permanent", "subType": "Suppressed", "message": "No such user anna@example.com"},
        "tags": [{"name": "whyleft_delivery", "value": KEY}],
    },
}
SENDGRID = [
    {
        "email": "anna@example.com",
        "timestamp": int(NOW.timestamp()) - 2,
        "event": "bounce",
        "reason": "550 no such user",
        "sg_event_id": "ZGVmZXJyZWQ",
        "sg_message_id": "14c5d75ce93.filter0001.16648.5515E0B88.0",
        "whyleft_delivery": KEY,
    }
]
POSTMARK = {
    "RecordType": "Bounce",
    "ID": 4323372036854775807,
    "Type": "HardBounce",
    "Inactive": True,
    "Email": "anna@example.com",
    "BouncedAt": "2026-11-21T11:59:58.4830000Z",
    "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
    "Metadata": {"whyleft_delivery": KEY},
    "Details": "smtp;550 5.1.1 no such user",
}
SES = {
    "eventType": "Bounce",
    "bounce": {
        "bounceType": "Permanent",
        "bouncedRecipients": [{"emailAddress": "anna@example.com", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}],
        "timestamp": "2026-11-21T11:59:58.123Z",
    },
    "mail": {"messageId": "EXAMPLE7c191be45", "destination": ["anna@example.com"], "tags": {"whyleft_delivery": [KEY]}},
}
