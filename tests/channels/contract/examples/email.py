"""Mail services."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any, Final

from adapters.channels.contract import Rejected, Retry, Suppress, Unknown
from tests.channels.contract.examples.example import Case, Example
from tests.channels.contract.far_side import Call, Reply

MAIL: Final = {
    "subject": "Your cart, Änne",
    "text": "It waits.",
    "html": "<p>It waits.</p>",
    "unsubscribe_url": "https://whyleft.example/v1/unsubscribe?token=abc",
}
SETTINGS: Final = {"sender": "Shop <mail@shop.example>"}
TO: Final = "anna@example.com"
CANARY: Final = "canary-c0ffee-key"
KEY: Final = {"api_key": CANARY}
NOTHING_TO_SAY: Final[dict[str, Any]] = {"subject": None}


def _resend(call: Call) -> bool:
    body = call.json
    return (
        call.host == "api.resend.com"
        and call.headers["authorization"] == f"Bearer {CANARY}"
        and call.headers["idempotency-key"] == body["tags"][0]["value"]
        and body["from"] == "Shop <mail@shop.example>"
        and body["to"] == [TO]
        and body["subject"] == MAIL["subject"]
        and body["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    )


def _sendgrid(call: Call) -> bool:
    body = call.json
    return (
        call.host == "api.sendgrid.com"
        and call.headers["authorization"] == f"Bearer {CANARY}"
        and body["personalizations"][0]["to"] == [{"email": TO}]
        and body["personalizations"][0]["custom_args"]["whyleft_delivery"] != ""
        and [part["type"] for part in body["content"]] == ["text/plain", "text/html"]
        and body["headers"]["List-Unsubscribe"] == f"<{MAIL['unsubscribe_url']}>"
    )


def _postmark(call: Call) -> bool:
    body = call.json
    return (
        call.host == "api.postmarkapp.com"
        and call.headers["x-postmark-server-token"] == CANARY
        and body["To"] == TO
        and body["MessageStream"] == "broadcast"
        and body["Metadata"]["whyleft_delivery"] != ""
        and {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"} in body["Headers"]
    )


def _postmark_error(code: int, message: str) -> Reply:
    return Reply(422, {"ErrorCode": code, "Message": message})


def _ses(call: Call) -> bool:
    body = call.json
    raw = base64.b64decode(body["Content"]["Raw"]["Data"])
    return (
        call.host == "email.eu-central-1.amazonaws.com"
        and call.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIACANARYCANARY/20")
        and "SignedHeaders=content-type;host;x-amz-date," in call.headers["authorization"]
        and body["Destination"] == {"ToAddresses": [TO]}
        and body["EmailTags"][0]["Name"] == "whyleft_delivery"
        and b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in raw
    )


def _ses_error(status: int, name: str, message: str) -> Reply:
    return Reply(status, {"message": message}, {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/"})


EXAMPLES: Final = (
    Example(
        kind="resend",
        reference="https://resend.com/docs/api-reference/emails/send-email",
        read_on=date(2026, 11, 21),
        settings=SETTINGS,
        credentials=KEY,
        recipient=TO,
        content=MAIL,
        impossible=NOTHING_TO_SAY,
        send="POST /emails",
        accepted=Reply(200, {"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}),
        provider_id="49a3999c-0ce1-4ea6-ab68-afcd6dc2e794",
        sent=_resend,
        cases={
            "the first try is under way": Case(
                Reply(409, {"name": "concurrent_idempotent_requests", "message": "Same key"}), Retry, "first try"
            ),
            "the key is known with another content": Case(
                Reply(409, {"name": "invalid_idempotent_request", "message": "Payload"}), Unknown, "another content"
            ),
            "the quota is used up": Case(
                Reply(429, {"name": "daily_quota_exceeded", "message": "You have reached your quota"}), Retry, "quota"
            ),
            "the sender is not verified": Case(
                Reply(403, {"name": "validation_error", "message": "The shop.example domain is not verified."}),
                Rejected,
                "verify it under Domains",
            ),
            "success without an id": Case(Reply(200, "[]"), Unknown, "cannot be read"),
        },
    ),
    Example(
        kind="sendgrid",
        reference="https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send",
        read_on=date(2026, 11, 21),
        settings=SETTINGS,
        credentials=KEY,
        recipient=TO,
        content=MAIL,
        impossible=NOTHING_TO_SAY,
        send="POST /v3/mail/send",
        accepted=Reply(202, b"", {"X-Message-Id": "14c5d75ce93.dfd.64b469"}),
        provider_id="14c5d75ce93",
        sent=_sendgrid,
        cases={
            "the sender is not verified": Case(
                Reply(
                    403,
                    {
                        "errors": [
                            {"message": "The from address does not match a verified Sender Identity.", "field": "from"}
                        ]
                    },
                ),
                Rejected,
                "Sender Authentication",
            ),
            "the mail is too large": Case(Reply(413, {"errors": [{"message": "too large"}]}), Rejected, "too large"),
        },
    ),
    Example(
        kind="postmark",
        reference="https://postmarkapp.com/developer/api/email-api",
        read_on=date(2026, 11, 21),
        settings=SETTINGS,
        credentials=KEY,
        recipient=TO,
        content=MAIL,
        impossible=NOTHING_TO_SAY,
        send="POST /email",
        accepted=Reply(200, {"ErrorCode": 0, "Message": "OK", "MessageID": "0a129aee-e1cd-480d-b08d-4f48548ff48d"}),
        provider_id="0a129aee-e1cd-480d-b08d-4f48548ff48d",
        sent=_postmark,
        cases={
            "an inactive recipient": Case(
                _postmark_error(406, "You tried to send to a recipient that has been marked as inactive."),
                Suppress,
                "inactive",
            ),
            "an unconfirmed sender": Case(
                _postmark_error(401, "Sender Signature not confirmed."), Rejected, "Sender Signatures"
            ),
            "an account under review": Case(_postmark_error(412, "Account is pending."), Retry, "account"),
            "an error inside success": Case(
                Reply(200, {"ErrorCode": 300, "Message": "Invalid 'To' address"}), Rejected, "refuses the mail"
            ),
            "success without a code": Case(Reply(200, {"Message": "OK"}), Unknown, "cannot be read"),
        },
    ),
    Example(
        kind="ses",
        reference="https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html",
        read_on=date(2026, 11, 21),
        settings={**SETTINGS, "region": "eu-central-1"},
        credentials={"access_key_id": "AKIACANARYCANARY", "secret_access_key": "canary-secret-access-key"},
        recipient=TO,
        content=MAIL,
        impossible=NOTHING_TO_SAY,
        send="POST /v2/email/outbound-emails",
        accepted=Reply(200, {"MessageId": "0107019a-1c2d-4f2b-000000"}),
        provider_id="0107019a-1c2d-4f2b-000000",
        sent=_ses,
        cases={
            "the sender is not verified": Case(
                _ses_error(400, "MessageRejected", "Email address is not verified."), Rejected, "verify the sender"
            ),
            "an expired token": Case(_ses_error(403, "ExpiredTokenException", "expired"), Retry, "set a new one"),
            "a paused account": Case(_ses_error(400, "SendingPausedException", "paused"), Retry, "let this account"),
            "no such configuration set": Case(
                _ses_error(404, "NotFoundException", "Configuration set <x> does not exist."),
                Rejected,
                "configuration set",
            ),
        },
    ),
)
