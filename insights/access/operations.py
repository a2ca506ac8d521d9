"""Says of every HTTP operation who may ask for it: the one place where that is decided.

An operation that is missing here keeps the application from starting. Its scope follows from it: ``read:`` where a
reader may ask for it, ``write:`` otherwise, and the first word of its path behind ``/v1/``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from insights.access.roles import Role


class Door(StrEnum):
    """Who may ask for an operation that is not opened by a role.

    anyone: whoever comes. signed: whoever signed what they send. events: a write key, or a secret key that may edit.
    operator: whoever runs the server, by WHYLEFT_OPERATOR_TOKEN.
    """

    ANYONE = "anyone"
    SIGNED = "signed"
    EVENTS = "events"
    OPERATOR = "operator"


Need = Role | Door

_ANYONE, _SIGNED, _EVENTS, _OPERATOR = Door.ANYONE, Door.SIGNED, Door.EVENTS, Door.OPERATOR
_READER, _EDITOR, _ADMIN = Role.READER, Role.EDITOR, Role.ADMIN

# In alphabetical order of the paths. Whatever only looks is a reader's, also where it is a POST.
NEEDS: Final[dict[str, Need]] = {
    "GET /healthz": _ANYONE,
    "GET /readyz": _ANYONE,
    "POST /v1/alias": _EVENTS,
    "GET /v1/audit": _ADMIN,
    "POST /v1/batch": _EVENTS,
    "POST /v1/callbacks/{channel}": _SIGNED,
    "GET /v1/channels": _READER,
    "POST /v1/channels": _ADMIN,
    "GET /v1/channels/kinds": _READER,
    "GET /v1/channels/{channel_id}": _READER,
    "PATCH /v1/channels/{channel_id}": _ADMIN,
    "DELETE /v1/channels/{channel_id}": _ADMIN,
    "POST /v1/channels/{channel_id}/test": _ADMIN,
    "GET /v1/carts/{token}": _SIGNED,
    "GET /v1/push/key": _READER,
    "GET /v1/push/subscriptions": _READER,
    "POST /v1/codes/{code}/redeem": _EDITOR,
    "POST /v1/conditions/check": _READER,
    "GET /v1/conditions/fields": _READER,
    "GET /v1/conditions/schema": _ANYONE,
    "GET /v1/deliveries": _READER,
    "POST /v1/deliveries/{delivery_id}/settle": _EDITOR,
    "POST /v1/events": _EVENTS,
    "GET /v1/flows": _READER,
    "POST /v1/flows": _EDITOR,
    "POST /v1/flows/import": _EDITOR,
    "POST /v1/flows/preview": _READER,
    "GET /v1/flows/schema": _ANYONE,
    "GET /v1/flows/starters": _ANYONE,
    "POST /v1/flows/starters/{starter}": _EDITOR,
    "POST /v1/flows/step-through": _READER,
    "POST /v1/flows/test-send": _EDITOR,
    "POST /v1/flows/validate": _READER,
    "GET /v1/flows/{flow_id}": _READER,
    "PUT /v1/flows/{flow_id}": _EDITOR,
    "POST /v1/flows/{flow_id}/archive": _EDITOR,
    "POST /v1/flows/{flow_id}/clone": _EDITOR,
    "GET /v1/flows/{flow_id}/diff": _READER,
    "GET /v1/flows/{flow_id}/export": _READER,
    "GET /v1/flows/{flow_id}/figures": _READER,
    "GET /v1/flows/{flow_id}/lift": _READER,
    "POST /v1/flows/{flow_id}/pause": _EDITOR,
    "POST /v1/flows/{flow_id}/publish": _EDITOR,
    "POST /v1/flows/{flow_id}/restore": _EDITOR,
    "POST /v1/flows/{flow_id}/resume": _EDITOR,
    "POST /v1/flows/{flow_id}/start": _EDITOR,
    "GET /v1/flows/{flow_id}/versions": _READER,
    "GET /v1/flows/{flow_id}/versions/{number}": _READER,
    "POST /v1/ga4": _EVENTS,
    "POST /v1/group": _EVENTS,
    "POST /v1/identify": _EVENTS,
    "GET /v1/identity": _READER,
    "PATCH /v1/identity": _ADMIN,
    "POST /v1/identity/secrets": _ADMIN,
    "DELETE /v1/identity/secrets/{secret_id}": _ADMIN,
    "POST /v1/import": _EVENTS,
    "GET /v1/keys": _ADMIN,
    "POST /v1/keys": _ADMIN,
    "GET /v1/keys/{key_id}": _ADMIN,
    "PATCH /v1/keys/{key_id}": _ADMIN,
    "DELETE /v1/keys/{key_id}": _ADMIN,
    "POST /v1/keys/{key_id}/rotate": _ADMIN,
    "GET /v1/lift": _READER,
    "GET /v1/live-actions": _READER,
    "POST /v1/live-actions": _EDITOR,
    "GET /v1/live-actions/{entry_id}": _READER,
    "PUT /v1/live-actions/{entry_id}": _EDITOR,
    "DELETE /v1/live-actions/{entry_id}": _EDITOR,
    "GET /v1/messages": _READER,
    "POST /v1/messages": _EDITOR,
    "POST /v1/messages/preview": _READER,
    "GET /v1/messages/schema": _ANYONE,
    "POST /v1/messages/test": _EDITOR,
    "POST /v1/messages/validate": _READER,
    "GET /v1/messages/values": _ANYONE,
    "GET /v1/messages/{name}": _READER,
    "PUT /v1/messages/{name}": _EDITOR,
    "DELETE /v1/messages/{name}": _EDITOR,
    "POST /v1/messages/{name}/publish": _EDITOR,
    "GET /v1/messages/{name}/versions": _READER,
    "GET /v1/members": _ADMIN,
    "POST /v1/members/invitations": _ADMIN,
    "DELETE /v1/members/invitations/{invitation_id}": _ADMIN,
    "PATCH /v1/members/{member_id}": _ADMIN,
    "DELETE /v1/members/{member_id}": _ADMIN,
    "POST /v1/page": _EVENTS,
    "GET /v1/patterns": _READER,
    "GET /v1/patterns/actions": _ANYONE,
    "POST /v1/patterns/look": _EDITOR,
    "GET /v1/patterns/{pattern_id}": _READER,
    "GET /v1/policies": _READER,
    "POST /v1/policies": _EDITOR,
    "GET /v1/policies/changes": _READER,
    "POST /v1/policies/rollback": _EDITOR,
    "GET /v1/policies/{policy_id}/evaluation": _READER,
    "POST /v1/policies/{policy_id}/promote": _EDITOR,
    "POST /v1/privacy/providers/{erasure_id}": _ADMIN,
    "GET /v1/privacy/requests": _ADMIN,
    "POST /v1/privacy/requests": _ADMIN,
    "GET /v1/privacy/requests/{request_id}/export": _ADMIN,
    "GET /v1/privacy/settings": _READER,
    "PATCH /v1/privacy/settings": _ADMIN,
    "GET /v1/project": _READER,
    "PATCH /v1/project": _ADMIN,
    "GET /v1/projects": _OPERATOR,
    "POST /v1/projects": _OPERATOR,
    "PATCH /v1/projects/{project_id}": _OPERATOR,
    "POST /v1/projects/{project_id}/archive": _OPERATOR,
    "POST /v1/projects/{project_id}/restore": _OPERATOR,
    "GET /v1/rejected": _READER,
    "POST /v1/rejected/replay": _EDITOR,
    "POST /v1/rejected/{rejected_id}/replay": _EDITOR,
    "GET /v1/reports/reasons": _READER,
    "GET /v1/runs": _READER,
    "GET /v1/runs/dead": _READER,
    "POST /v1/runs/dead/replay": _EDITOR,
    "GET /v1/runs/{run_id}": _READER,
    "POST /v1/runs/{run_id}/cancel": _EDITOR,
    "POST /v1/runs/{run_id}/replay": _EDITOR,
    "POST /v1/screen": _EVENTS,
    "GET /v1/segments": _READER,
    "POST /v1/segments": _EDITOR,
    "POST /v1/segments/preview": _READER,
    "GET /v1/segments/{name}": _READER,
    "PUT /v1/segments/{name}": _EDITOR,
    "DELETE /v1/segments/{name}": _EDITOR,
    "PUT /v1/segments/{name}/visitors/{visitor}": _EDITOR,
    "DELETE /v1/segments/{name}/visitors/{visitor}": _EDITOR,
    "GET /v1/sessions": _READER,
    "GET /v1/sessions/{session_id}": _READER,
    "POST /v1/sessions/{session_id}/close": _EDITOR,
    "POST /v1/sessions/{session_id}/feedback": _EDITOR,
    "POST /v1/sessions/{session_id}/reclassify": _EDITOR,
    "GET /v1/settings/flows": _READER,
    "PUT /v1/settings/flows": _ADMIN,
    "GET /v1/settings/insights": _READER,
    "PATCH /v1/settings/insights": _ADMIN,
    "GET /v1/shop": _READER,
    "PATCH /v1/shop": _EDITOR,
    "POST /v1/shopify/pixel": _EVENTS,
    "GET /v1/sources": _READER,
    "POST /v1/sources": _ADMIN,
    "DELETE /v1/sources/{source_id}": _ADMIN,
    "GET /v1/subscriptions": _READER,
    "POST /v1/subscriptions": _ADMIN,
    "DELETE /v1/subscriptions/{subscription_id}": _ADMIN,
    "POST /v1/tickets/{fingerprint}/fixed": _EDITOR,
    "POST /v1/track": _EVENTS,
    "GET /v1/visitors/{visitor_id}": _READER,
    "GET /v1/visitors/{visitor}/segments": _READER,
    "GET /v1/visitors/{visitor}/tags": _READER,
    "POST /v1/visitors/{visitor}/tags": _EDITOR,
    "POST /v1/webhooks/{provider}/{address}": _SIGNED,
}

EVENTS_SCOPE: Final = "write:events"


def scope_of(operation: str) -> str:
    """The scope of an operation such as ``GET /v1/sessions``: ``read:sessions``."""
    need = NEEDS[operation]
    if need is Door.EVENTS:
        return EVENTS_SCOPE
    area = operation.partition(" /v1/")[2].partition("/")[0]
    return f"{'read' if need is Role.READER else 'write'}:{area}"


SCOPES: Final = frozenset(
    scope_of(operation) for operation, need in NEEDS.items() if isinstance(need, Role) or need is Door.EVENTS
)
"""Every scope that a key may be given."""
