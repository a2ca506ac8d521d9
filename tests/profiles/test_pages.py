from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.profiles.pages import LONGEST_PATH, PageKind, event_path, is_shelf_of, link_to, page_kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", PageKind.HOME),
        ("", PageKind.HOME),
        ("/cart", PageKind.CART),
        ("/de/warenkorb.html", PageKind.CART),
        ("/api/cart", PageKind.CART),
        ("/checkout", PageKind.CHECKOUT),
        ("/checkouts/c/1/payment", PageKind.CHECKOUT),
        ("/cart/checkout", PageKind.CHECKOUT),
        ("/checkout/shipping", PageKind.CHECKOUT),
        ("/returns", PageKind.POLICY),
        ("/pages/shipping-and-returns", PageKind.POLICY),
        ("/policies/refund-policy", PageKind.POLICY),
        ("/pages/Return_Policy.html", PageKind.POLICY),
        ("/contact", PageKind.CONTACT),
        ("/pages/contact-us", PageKind.CONTACT),
        ("/product/delivery-bag", PageKind.OTHER),
        ("/p/cart", PageKind.CART),
        ("/collections/bags", PageKind.OTHER),
        ("/thank-you", PageKind.OTHER),
    ],
)
def test_a_path_says_what_its_page_is_for(path: str, kind: PageKind) -> None:
    assert page_kind(path) is kind


@pytest.mark.parametrize(
    ("path", "url", "link"),
    [
        ("/", "https://shop.example/?category=beans&email=a@b.c", "/?category=beans"),
        ("/c/beans", "https://shop.example/c/beans?utm_source=x#reviews", "/c/beans"),
        ("/c/beans", "", "/c/beans"),
        ("/", "https://shop.example/?category=a%26b%3D%22c", "/?category=a%26b%3D%22c"),
        ("//evil.example/", "", ""),
        ("/\\evil.example/", "", ""),
        ("javascript:alert(1)", "", ""),
        ("/a\nb", "", ""),
        ("/" + "a" * LONGEST_PATH, "", ""),
    ],
)
def test_a_link_back_stays_in_the_shop_and_keeps_only_the_shelf_of_the_query(path: str, url: str, link: str) -> None:
    assert link_to(path, url) == link


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_path_becomes_a_link_to_somewhere_else(path: str, url: str) -> None:
    link = link_to(path, "https://shop.example/?" + url)
    assert link == "" or (link[0] == "/" and link[1:2] not in ("/", "\\") and len(link) <= LONGEST_PATH)


@pytest.mark.parametrize(
    ("link", "category", "yes"),
    [
        ("/?category=beans", "Beans", True),
        ("/collections/coffee-cups", "Coffee cups", True),
        ("/c/caf%C3%A9", "Café", True),
        ("/", "beans", False),
        ("/new-in", "beans", False),
        ("/c/beans", "", False),
    ],
)
def test_a_shelf_is_recognised_by_its_name(link: str, category: str, yes: bool) -> None:
    assert is_shelf_of(link, category) is yes


@pytest.mark.parametrize(
    ("kind", "url", "own", "path"),
    [
        ("page_viewed", "https://shop.example/a?b", "/own", "/own"),
        ("page_viewed", "https://shop.example/a?b", 7, "/a"),
        ("clicked", "https://shop.example/a?b#c", "/own", "/a"),
        ("clicked", "/relative?x", None, "/relative"),
        ("clicked", None, None, ""),
        ("clicked", "https://[broken", None, ""),
        ("clicked", "https://shop.example?next=/a", None, ""),
        ("clicked", "/search?next=https://shop.example/a", None, "/search"),
    ],
)
def test_an_event_happened_on_the_path_of_its_page(kind: str, url: str | None, own: object, path: str) -> None:
    assert event_path(kind, url, own) == path
