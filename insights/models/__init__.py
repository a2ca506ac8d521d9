"""Tables of the product, one file a noun. Importing this package registers all of them."""

from insights.models.answered_request import AnsweredRequest
from insights.models.api_key import ApiKey
from insights.models.audit_entry import AuditEntry
from insights.models.channel import ChannelSetup
from insights.models.consent import Consent
from insights.models.decision import Decision
from insights.models.dialect_message import DialectMessage
from insights.models.discount_code import DiscountCode
from insights.models.erased_visitor import ErasedVisitor
from insights.models.event import Event
from insights.models.flow_draft import FlowDraft
from insights.models.identity_claim import IdentityClaim
from insights.models.identity_link import IdentityLink
from insights.models.identity_secret import IdentitySecret
from insights.models.insight import ITS_INSIGHT, Insight
from insights.models.insight_feedback import InsightFeedback
from insights.models.insight_setting import InsightSetting
from insights.models.intent_model import IntentModelVersion
from insights.models.kept_offer import KeptOffer
from insights.models.live_action import LiveActionEntry, LiveClaim, LiveSpend
from insights.models.member import Invitation, Login, LoginThrottle, Member, Membership, PasswordReset
from insights.models.message import Message, MessageVersion
from insights.models.mirrored_code import MirroredCode
from insights.models.model_batch import ModelBatch
from insights.models.model_spend import ModelSpend
from insights.models.order_claim import OrderClaim
from insights.models.pattern import Pattern, PatternLook
from insights.models.person import Person
from insights.models.platform_feed import PlatformFeed
from insights.models.policy import Policy, PolicyBucket, PolicyChange, PolicySnapshot, Reward
from insights.models.privacy_request import PrivacyRequest
from insights.models.privacy_setting import PrivacySetting
from insights.models.project import Project
from insights.models.provider_erasure import ProviderErasure
from insights.models.push_subscription import PushSubscription
from insights.models.rejected_event import RejectedEvent
from insights.models.saved_view import SavedView
from insights.models.segment import Segment, SegmentMember, SegmentMove
from insights.models.session import BY_A_PERSON, Session
from insights.models.shop import Shop
from insights.models.subscription import Notice, Subscription
from insights.models.ticket_watch import TicketWatch
from insights.models.visitor import Visitor
from insights.models.visitor_tag import VisitorTag
from insights.models.webhook_receipt import WebhookReceipt
from insights.models.webhook_source import WebhookSource

__all__ = [
    "BY_A_PERSON",
    "ITS_INSIGHT",
    "AnsweredRequest",
    "ApiKey",
    "AuditEntry",
    "ChannelSetup",
    "Consent",
    "Decision",
    "DialectMessage",
    "DiscountCode",
    "ErasedVisitor",
    "Event",
    "FlowDraft",
    "IdentityClaim",
    "IdentityLink",
    "IdentitySecret",
    "Insight",
    "InsightFeedback",
    "InsightSetting",
    "IntentModelVersion",
    "Invitation",
    "KeptOffer",
    "LiveActionEntry",
    "LiveClaim",
    "LiveSpend",
    "Login",
    "LoginThrottle",
    "Member",
    "Membership",
    "Message",
    "MessageVersion",
    "MirroredCode",
    "ModelBatch",
    "ModelSpend",
    "Notice",
    "OrderClaim",
    "PasswordReset",
    "Pattern",
    "PatternLook",
    "Person",
    "PlatformFeed",
    "Policy",
    "PolicyBucket",
    "PolicyChange",
    "PolicySnapshot",
    "PrivacyRequest",
    "PrivacySetting",
    "Project",
    "ProviderErasure",
    "PushSubscription",
    "RejectedEvent",
    "Reward",
    "SavedView",
    "Segment",
    "SegmentMember",
    "SegmentMove",
    "Session",
    "Shop",
    "Subscription",
    "TicketWatch",
    "Visitor",
    "VisitorTag",
    "WebhookReceipt",
    "WebhookSource",
]
