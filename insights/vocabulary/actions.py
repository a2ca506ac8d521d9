"""The two closed registries of actions: what may be shown in a session, and what may be done after it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class LiveAction(StrEnum):
    """Something shown while the visitor is there. ``DO_NOTHING`` is one of the choices, not the absence of one."""

    DISCOUNT_POPUP = "discount_popup"
    RECOMMENDATION_CAROUSEL = "recommendation_carousel"
    FREE_SHIPPING_BANNER = "free_shipping_banner"
    IDENTITY_CAPTURE = "identity_capture"
    CART_SAVE = "cart_save"
    COMPARISON_CARD = "comparison_card"
    TRUST_CARD = "trust_card"
    SHORT_FORM = "short_form"
    CHAT_INVITE = "chat_invite"
    DO_NOTHING = "do_nothing"


class RecoveryAction(StrEnum):
    """Something done after the session, through a channel."""

    SEND_EMAIL = "send_email"
    SEND_SMS = "send_sms"
    SEND_PUSH = "send_push"
    SHOW_POPUP = "show_popup"
    TRIGGER_RETARGETING = "trigger_retargeting"
    TAG_CUSTOMER = "tag_customer"
    ADD_TO_SEGMENT = "add_to_segment"
    CREATE_TICKET = "create_ticket"
    CREATE_CRM_TASK = "create_crm_task"
    SUPPRESS_MESSAGES = "suppress_messages"
    CALL_WEBHOOK = "call_webhook"
    DO_NOTHING = "do_nothing"


TO_VISITORS: Final = frozenset(
    {
        RecoveryAction.SEND_EMAIL,
        RecoveryAction.SEND_SMS,
        RecoveryAction.SEND_PUSH,
        RecoveryAction.SHOW_POPUP,
        RecoveryAction.TRIGGER_RETARGETING,
        RecoveryAction.CALL_WEBHOOK,
    }
)
"""What reaches a visitor, or sets off somebody else who may: a webhook's receiver can write to them. Nothing of it is
done for who is held out; tickets, tasks, tags and segments are for the shop's own eyes, and quiet is no message."""
