"""One action for each template of the renderer, as a server would answer it."""

from __future__ import annotations

from typing import Any

DECISION = "01890a5d-ac96-774b-bcce-b302099a8059"


def action(name: str, template: str, **content: Any) -> dict[str, Any]:
    return {"decision_id": DECISION, "action": name, "template": template, "content": content}


def products(picture: str) -> list[dict[str, str]]:
    names = ("Moka pot", "Hand grinder", "Pocket scale", "Travel cup", "French press", "Gooseneck kettle")
    return [
        {"title": name, "href": f"/p/{index}", "price": f"{19 + 8 * index}.00 €", "image": picture % slug(name)}
        for index, name in enumerate(names)
    ]


def slug(name: str) -> str:
    return name.lower().replace(" ", "-")


ACTIONS: dict[str, dict[str, Any]] = {
    "banner": action(
        "free_shipping_banner",
        "banner",
        title="Free delivery from 40.00 EUR",
        body="Your cart is 6.00 EUR away from it.",
        cta={"label": "Go to the cart", "href": "/cart"},
        dismiss_label="Close",
    ),
    "popup": action(
        "cart_save",
        "popup",
        title="Keep your cart for later?",
        body="Leave your e-mail address and we send you a link to it.",
        input={"kind": "email", "label": "E-mail", "consent_label": "Yes, you may also tell me about offers"},
        cta={"label": "Send it to me"},
        dismiss_label="No, thanks",
        thanks="Thank you. It is on its way.",
    ),
    "card": action(
        "discount_popup",
        "card",
        title="10 % off your first order",
        body="For everything in your cart, until midnight.",
        code="WELCOME10",
        cta={"label": "Use it", "href": "/checkout"},
        dismiss_label="Close",
    ),
    "form": action(
        "short_form",
        "form",
        title="One question",
        input={
            "kind": "text",
            "label": "What keeps you from ordering?",
            "options": ["The price", "Delivery takes too long", "I am not sure it fits", "Just looking"],
        },
        cta={"label": "Send"},
        dismiss_label="Close",
        thanks="Thank you, that helps.",
    ),
    "carousel": action(
        "recommendation_carousel",
        "carousel",
        title="Goes well with it",
        items=products("/pictures/%s.svg"),
        dismiss_label="Close",
    ),
}
