"""How each provider is asked to forget somebody, and what it answers, from its public reference (read 2026-11-21)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.channels.erasing import Named
from tests.channels.contract.far_side import Call, Reply

ANNA: Final = Named.of("0190-erasure", ["Anna@Example.com"], ["+49 151 12345678"], ["customer-7"])
EMAIL, PHONE, USER = "anna@example.com", "+4915112345678", "customer-7"


@dataclass(frozen=True)
class Erasing:
    """``call``: "METHOD /path" of what erases; ``says``: everything that these calls' bodies or targets must hold.

    ``beside``: what is asked before. ``nobody``: replies of a provider that does not know them. ``credentials``: what
    is needed beside those of the example. ``lenient``: a page inside 200 counts as a yes, too.
    """

    reference: str
    call: str
    reply: Reply
    says: tuple[str, ...]
    beside: dict[str, Reply] = field(default_factory=dict)
    nobody: dict[str, Reply] = field(default_factory=dict)
    credentials: dict[str, Any] = field(default_factory=dict)
    lenient: bool = False
    sent: Callable[[Call], bool] = lambda _call: True


ERASING: Final[dict[str, Erasing]] = {
    "klaviyo": Erasing(
        reference="https://developers.klaviyo.com/en/reference/request_profile_deletion",
        call="POST /api/data-privacy-deletion-jobs",
        reply=Reply(202, b""),
        says=(f'"email":"{EMAIL}"', f'"phone_number":"{PHONE}"', '"id":"01PROFILE"', "data-privacy-deletion-job"),
        beside={"GET /api/profiles": Reply(200, {"data": [{"type": "profile", "id": "01PROFILE"}]})},
        nobody={
            "GET /api/profiles": Reply(200, {"data": []}),
            "POST /api/data-privacy-deletion-jobs": Reply(404, {"errors": [{"code": "not_found"}]}),
        },
        sent=lambda call: call.headers["revision"] == "2026-04-15",
    ),
    "braze": Erasing(
        reference="https://www.braze.com/docs/api/endpoints/user_data/post_user_delete/",
        call="POST /users/delete",
        reply=Reply(200, {"deleted": 1, "message": "success"}),
        says=(f'"external_ids":["{USER}"]', f'"email":"{EMAIL}","prioritization":["identified"', '["unidentified"'),
        nobody={"POST /users/delete": Reply(200, {"deleted": 0, "message": "success"})},
    ),
    "shopify": Erasing(
        reference="https://shopify.dev/docs/api/admin-graphql/2026-01/mutations/customerRequestDataErasure",
        call="POST /admin/api/2026-01/graphql.json",
        # One address for question and order: what answers both says both.
        reply=Reply(
            200,
            {
                "data": {
                    "customerByIdentifier": {"id": "gid://shopify/Customer/7"},
                    "customerRequestDataErasure": {"customerId": "gid://shopify/Customer/7", "userErrors": []},
                }
            },
        ),
        says=(f'"emailAddress":"{EMAIL}"', f'"phoneNumber":"{PHONE}"', "customerRequestDataErasure"),
        nobody={"POST /admin/api/2026-01/graphql.json": Reply(200, {"data": {"customerByIdentifier": None}})},
    ),
    "segment": Erasing(
        reference="https://docs.segmentapis.com/tag/Deletion-and-Suppression",
        call="POST /regulations",
        reply=Reply(200, {"data": {"regulateId": "1wxyz"}}),
        says=(f'"subjectIds":["{USER}"]', '"regulationType":"DELETE_ONLY"'),
        credentials={"public_api_token": "canary-public-api-token"},
        sent=lambda call: call.host == "eu1.api.segmentapis.com",
    ),
    "webhook": Erasing(
        reference="https://www.standardwebhooks.com",
        call="POST /whyleft",
        reply=Reply(200, b""),
        says=('"type":"person.erase"', EMAIL, PHONE, USER),
        lenient=True,
    ),
    "hubspot": Erasing(
        reference="https://developers.hubspot.com/docs/api-reference/legacy/crm/objects/contacts/gdpr/gdpr-delete-contact",
        call="POST /crm/v3/objects/contacts/gdpr-delete",
        reply=Reply(204, b""),
        says=('"objectId":"501"',),
        beside={"POST /crm/v3/objects/contacts/search": Reply(200, {"total": 1, "results": [{"id": "501"}]})},
        nobody={"POST /crm/v3/objects/contacts/search": Reply(200, {"total": 0, "results": []})},
    ),
    "sendgrid": Erasing(
        reference="https://www.twilio.com/docs/sendgrid/api-reference/recipients-data-erasure-api",
        call="POST /v3/recipients/erasejob",
        reply=Reply(202, {"job_id": "b3c1"}),
        says=(f'"email_addresses":["{EMAIL}"]',),
    ),
    "resend": Erasing(
        reference="https://resend.com/docs/api-reference/contacts/delete-contact",
        call="DELETE /contacts/",
        reply=Reply(200, {"object": "contact", "contact": "520784e2", "deleted": True}),
        says=("anna%40example.com",),
        nobody={"DELETE /contacts/": Reply(404, {"name": "not_found", "message": "Contact not found"})},
    ),
    "postmark": Erasing(
        reference="https://postmarkapp.com/developer/api/data-removals-api",
        call="POST /data-removals",
        reply=Reply(200, {"ID": 1234, "Status": "Pending"}),
        says=(f'"RequestedFor":"{EMAIL}"',),
        credentials={"account_token": "canary-account-token"},
        sent=lambda call: call.headers["x-postmark-account-token"] == "canary-account-token",
    ),
    "twilio": Erasing(
        reference="https://www.twilio.com/docs/messaging/api/message-resource#delete-a-message-resource",
        call="DELETE /2010-04-01/Accounts/",
        reply=Reply(204, b""),
        says=("/Messages/SM01.json",),
        beside={"GET /2010-04-01/Accounts/": Reply(200, {"messages": [{"sid": "SM01"}]})},
        nobody={"GET /2010-04-01/Accounts/": Reply(200, {"messages": []})},
    ),
    "meta_audience": Erasing(
        reference="https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences",
        call="DELETE /",
        reply=Reply(200, {"num_received": 1, "num_invalid_entries": 0, "session_id": "9"}),
        says=('"schema":["EMAIL"]', '"schema":["PHONE"]', '"schema":["EXTERN_ID"]'),
    ),
    "google_audience": Erasing(
        reference="https://developers.google.com/data-manager/api/reference/rest/v1/audienceMembers/remove",
        call="POST /v1/audienceMembers:remove",
        reply=Reply(200, {"requestId": "r-1"}),
        says=("emailAddress", "phoneNumber"),
    ),
    "reddit_audience": Erasing(
        reference="https://ads-api.reddit.com/docs/v3/",
        call="PATCH /api/v3/custom_audiences/",
        reply=Reply(200, {"data": {}}),
        says=('"action_type":"REMOVE"',),
    ),
}
"""Kinds whose provider is called. Every other kind says by hand where somebody does it."""
