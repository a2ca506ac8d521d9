"""What behaviour says of a visitor: pages, attention, hesitation, trouble, and what they did with our actions."""

from __future__ import annotations

from sys import intern
from typing import Final

from insights.profiles.pages import LONGEST_PATH, PageKind, link_to, page_kind
from insights.profiles.profile import ACTION_BIT, Profile
from insights.profiles.props import LARGEST, Props, share_of, text_of, whole_of
from insights.vocabulary.actions import LiveAction

_MONEY_PAGES: Final = (PageKind.CART, PageKind.CHECKOUT)
_PAID: Final = ("cpc", "ppc", "paid")
_ACTION_BITS: Final = {action.value: bit for action, bit in ACTION_BIT.items() if action is not LiveAction.DO_NOTHING}


def page_viewed(p: Profile, at: int, path: str, props: Props) -> None:
    p.previous_link = "" if p.page_is_product else p.page_link
    url = props.get("url")
    link = link_to(path, url if type(url) is str and "?" in url and len(url) <= 1024 else "")
    kind = page_kind(path)
    p.pages += 1
    p.page_at = at
    p.page_engaged_ms = 0
    p.page_path = intern(path)
    p.page_link = link = intern(link)
    p.page_is_product = False
    if kind is PageKind.POLICY:
        p.policies += 1
        p.policy_at = at
        p.policy_link = link
    elif kind is PageKind.CONTACT:
        p.contact_link = link
    elif kind is PageKind.CART:
        p.cart_link = link
    if "source" in props:
        source = props["source"]
        if isinstance(source, dict):
            p.paid_click = bool(source.get("click_id")) or text_of(source, "utm_medium") in _PAID
    if "client" in props:
        client = props["client"]
        if isinstance(client, dict) and client.get("bot"):
            p.bot = True


def quick_back(p: Profile, at: int, props: Props) -> None:
    p.quick_backs += 1


def clicked(p: Profile, at: int, props: Props) -> None:
    p.clicks += 1


def scrolled(p: Profile, at: int, props: Props) -> None:
    depth = share_of(props, "depth")
    if depth > p.depth:
        p.depth = depth


def engaged(p: Profile, at: int, props: Props) -> None:
    ms = whole_of(props, "ms")
    p.engaged_ms = whole if (whole := p.engaged_ms + ms) <= LARGEST else LARGEST
    p.page_engaged_ms = page if (page := p.page_engaged_ms + ms) <= LARGEST else LARGEST


def hover_hesitation(p: Profile, at: int, props: Props) -> None:
    where = f"{text_of(props, 'section')} {text_of(props, 'selector')}".lower()
    if "price" in where or "total" in where:
        p.price_hovers += 1
        p.price_at = at
    else:
        p.hesitations += 1
        p.hesitation_at = at


def text_noticed(p: Profile, at: int, props: Props) -> None:
    p.copies += 1
    if "price" in text_of(props, "section").lower():
        p.price_at = at


def exit_intent(p: Profile, at: int, props: Props) -> None:
    p.exits += 1
    p.exit_at = at


def tab_hidden(p: Profile, at: int, props: Props) -> None:
    p.hides += 1


def tab_returned(p: Profile, at: int, props: Props) -> None:
    p.away_ms = whole_of(props, "away_ms")
    p.return_at = at


def searched(p: Profile, at: int, props: Props) -> None:
    p.searches += 1
    results = props.get("results")
    if type(results) is int and results == 0:
        p.empty_searches += 1


def reviews_viewed(p: Profile, at: int, props: Props) -> None:
    p.reviews += 1


def promo_seen(p: Profile, at: int, props: Props) -> None:
    p.promos += 1


def form_field(p: Profile, at: int, props: Props) -> None:
    p.form_at = at
    p.refocused = min(LARGEST, p.refocused + whole_of(props, "refocused"))


def form_abandoned(p: Profile, at: int, props: Props) -> None:
    p.forms_left += 1
    p.form_at = at


def form_submitted(p: Profile, at: int, props: Props) -> None:
    p.form_at = 0
    p.progress_at = at


def request_failed(p: Profile, at: int, path: str, props: Props) -> None:
    p.failures += 1
    failing = text_of(props, "path").partition("?")[0]
    _trouble(p, at, path, failing if len(failing) <= LONGEST_PATH else "")


def js_error(p: Profile, at: int, props: Props) -> None:
    p.js_errors += 1


def rage_click(p: Profile, at: int, path: str, props: Props) -> None:
    p.rage_clicks += 1
    _trouble(p, at, path, "")


def dead_click(p: Profile, at: int, path: str, props: Props) -> None:
    p.dead_clicks += 1
    _trouble(p, at, path, "")


def identified(p: Profile, at: int, props: Props) -> None:
    if "@" in text_of(props, "email"):
        p.has_email = True


def consent_changed(p: Profile, at: int, props: Props) -> None:
    if type(analytics := props.get("analytics")) is bool:
        p.analytics = analytics
    if type(marketing := props.get("marketing")) is bool:
        p.marketing = marketing


def action_shown(p: Profile, at: int, props: Props) -> None:
    bit = _ACTION_BITS.get(text_of(props, "action"), 0)
    # Whoever served it may have been another process: what the page says it showed counts as served, too.
    p.shown |= bit
    p.served |= bit


def action_clicked(p: Profile, at: int, props: Props) -> None:
    action_shown(p, at, props)
    p.clicked |= _ACTION_BITS.get(text_of(props, "action"), 0)


def action_dismissed(p: Profile, at: int, props: Props) -> None:
    action_shown(p, at, props)
    p.dismissed |= _ACTION_BITS.get(text_of(props, "action"), 0)


def _trouble(p: Profile, at: int, path: str, failing: str) -> None:
    if page_kind(path) in _MONEY_PAGES or (failing and page_kind(failing) in _MONEY_PAGES):
        p.cart_trouble += 1
        p.trouble_at = at
