"""Pages for whoever gets messages: stop them, or choose among them. No login, no script, in their language.

The link's signature is the permission. Looking changes nothing: mail scanners follow every link.
"""

from __future__ import annotations

import base64
import hashlib
import html
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from insights.api.body import ClientGone, read_body
from insights.api.services import FromRequest
from insights.errors import Refused
from insights.recovery import preferences, unsubscribe
from insights.recovery.preference_words import LANGUAGES, Words, language_of
from insights.recovery.preferences import Preferences

router = APIRouter(prefix="/v1", tags=["recovery"])

MOST_FORM: Final = 8_192

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #22221f; --quiet: #63625c; --page: #f2f1ee; --sheet: #fff; --line: #d9d6cd;
  --do: #1f4e3d; --on-do: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e7e1; --quiet: #aaa89f; --page: #151514; --sheet: #20201e;
  --line: #44433e; --do: #8fd0b4; --on-do: #10231b; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem 1rem; background: var(--page); color: var(--ink);
  font: 1.05rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
main { max-width: 32rem; margin: 4vh auto; padding: 1.6rem; background: var(--sheet); border-radius: 14px;
  overflow-wrap: anywhere; }
h1 { margin: 0 0 .8rem; font-size: 1.45rem; line-height: 1.25; }
p { margin: 0 0 1.1rem; }
fieldset { margin: 0 0 1.3rem; padding: 0; border: 0; }
label { display: flex; gap: .8rem; align-items: center; min-height: 3rem; padding: .5rem 0;
  border-bottom: 1px solid var(--line); }
input { width: 1.35rem; height: 1.35rem; flex: none; accent-color: var(--do); }
small { display: block; color: var(--quiet); }
button { min-height: 2.9rem; margin: 0 .6rem .6rem 0; padding: .5rem 1.3rem; border: 1px solid var(--do);
  border-radius: 10px; background: var(--do); color: var(--on-do); font: inherit; font-weight: 600; cursor: pointer; }
button.second { background: none; color: var(--ink); border-color: var(--line); }
a { color: inherit; }
:focus-visible { outline: 3px solid var(--do); outline-offset: 2px; }
[role=status] { padding: .6rem .9rem; border: 1px solid var(--line); border-radius: 10px; }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


@router.get("/unsubscribe", include_in_schema=False)
async def ask_to_unsubscribe(request: Request, services: FromRequest, token: str = Query("")) -> Response:
    """A page with one button."""
    claim = _claim(services.signing_secret, token)
    if claim is None:
        return _broken(request)
    async with services.database.transaction(claim.project_id) as tx:
        found = await preferences.read(tx, claim)
    name, words = _language(request, found)
    body = f"<p>{_filled(words.stop_lead, found, claim)}</p>" + (
        f'<form method="post"><button>{words.stop}</button></form>{_to_preferences(token, words)}'
    )
    return _page(name, _filled(words.stop_title, found, claim), body)


@router.post("/unsubscribe", include_in_schema=False)
async def do_unsubscribe(request: Request, services: FromRequest, token: str = Query("")) -> Response:
    """One-click unsubscribe (RFC 8058): a mail program posts here without asking further."""
    claim = _claim(services.signing_secret, token)
    if claim is None:
        return _broken(request)
    async with services.database.transaction(claim.project_id) as tx:
        await preferences.turn_off(tx, claim, claim.channel, claim.recipient, datetime.now(UTC))
        found = await preferences.read(tx, claim)
    name, words = _language(request, found)
    body = f'<p role="status">{_filled(words.stopped, found, claim)}</p>{_to_preferences(token, words)}'
    return _page(name, words.stopped_title, body)


@router.get("/preferences", include_in_schema=False)
async def show_preferences(
    request: Request, services: FromRequest, token: str = Query(""), saved: bool = Query(False)
) -> Response:
    """What they get, channel by channel."""
    claim = _claim(services.signing_secret, token)
    if claim is None:
        return _broken(request)
    async with services.database.transaction(claim.project_id) as tx:
        found = await preferences.read(tx, claim)
    name, words = _language(request, found)
    return _answer(page_of(name, words, found, token, saved=saved))


@router.post("/preferences", include_in_schema=False)
async def save_preferences(request: Request, services: FromRequest, token: str = Query("")) -> Response:
    """Keeps what they chose, then shows it."""
    claim = _claim(services.signing_secret, token)
    if claim is None:
        return _broken(request)
    fields = await _form(request)
    if fields.get("do") not in ("save", "none"):
        raise Refused("The form did not arrive whole: open the link again and choose once more.", field="do")
    chosen = [name.removeprefix("channel-") for name in fields if name.startswith("channel-")]
    async with services.database.transaction(claim.project_id) as tx:
        await preferences.choose(tx, claim, [] if fields["do"] == "none" else chosen, datetime.now(UTC))
    return RedirectResponse(f"preferences?token={token}&saved=true", status_code=303)


def _claim(secret: bytes, token: str) -> unsubscribe.Claim | None:
    try:
        return unsubscribe.verify(secret, token)
    except Refused:
        return None


def _broken(request: Request) -> Response:
    name = language_of(None, request.headers.get("accept-language", ""))
    words = LANGUAGES[name]
    response = _page(name, words.broken_title, f'<p role="alert">{words.broken}</p>')
    response.status_code = 400
    return response


async def _form(request: Request) -> dict[str, str]:
    headers = {name: value for name, value in request.headers.raw if name != b"content-encoding"}
    try:
        body = await read_body(request.receive, headers, MOST_FORM)
    except ClientGone:
        return {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def page_of(language: str, words: Words, found: Preferences, token: str, *, saved: bool = False) -> str:
    """The preference page as HTML."""
    note = f'<p role="status">{words.saved}</p>' if saved else ""
    boxes = "".join(
        f'<label><input type="checkbox" name="channel-{html.escape(choice.channel)}"'
        f"{' checked' if choice.on else ''}{' disabled' if choice.dead else ''}>"
        f"<span>{html.escape(words.channels.get(choice.channel, choice.channel))}"
        f"<small>{html.escape(choice.shown)}{f' · {words.dead}' if choice.dead else ''}</small></span></label>"
        for choice in found.choices
    )
    title = html.escape(words.title.replace("{shop}", found.shop))
    body = (
        f"{note}<p>{html.escape(words.lead.replace('{shop}', found.shop))}</p>"
        f'<form method="post" action="?token={html.escape(token)}"><fieldset>'
        f"<legend hidden>{title}</legend>{boxes}</fieldset>"
        f'<button name="do" value="save">{words.save}</button>'
        f'<button class="second" name="do" value="none">{words.none}</button></form>'
    )
    return _document(language, title, body)


def _language(request: Request, found: Preferences) -> tuple[str, Words]:
    name = language_of(found.language, request.headers.get("accept-language", ""))
    return name, LANGUAGES[name]


def _filled(text: str, found: Preferences, claim: unsubscribe.Claim) -> str:
    own = next((choice.shown for choice in found.choices if choice.channel == claim.channel), "")
    return html.escape(text.replace("{shop}", found.shop).replace("{to}", own))


def _to_preferences(token: str, words: Words) -> str:
    return f'<p><a href="preferences?token={html.escape(token)}">{words.choose}</a></p>'


def _page(language: str, title: str, content: str) -> Response:
    return _answer(_document(language, title, content))


def _document(language: str, title: str, content: str) -> str:
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>{content}</main></body></html>"
    )


def _answer(page: str) -> Response:
    headers = {
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    return Response(page, media_type="text/html", headers=headers)
