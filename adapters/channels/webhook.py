"""A signed webhook: posts JSON to the shop's own address, by the Standard Webhooks scheme.

The receiver drops repeats by ``webhook-id``, which is the intent's key, and checks ``webhook-signature``. Redirects are
not followed. The address is resolved once, judged, and that very address is connected to, so that a name which
changes its mind in between (DNS rebinding) reaches nothing.

Content: the JSON object to post.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from adapters.channels.contract import (
    UNLIMITED,
    Accepted,
    Callback,
    NotFound,
    ProviderEvent,
    Rate,
    Rejected,
    Result,
    Retry,
    SendIntent,
    Suppress,
    Unknown,
    Unsupported,
    no_callbacks,
)
from adapters.channels.erasing import NOTHING_TO_GO_BY, Erased, Named, settled, told_to_erase
from adapters.channels.errors import ChannelMisconfigured
from adapters.channels.public_address import is_public
from adapters.channels.public_only import MOST_ADDRESSES, Resolve, resolve, trusted
from adapters.channels.verdict import retry_after

MOST_BODY: Final = 256 * 1024


class WebhookChannel:
    """Posts to one address. ``secret`` is whsec_ and base64 of 24 to 64 bytes. Raises ChannelMisconfigured.

    Only https:// to a public address, unless ``allow_private``: then http:// and addresses inside the network are
    the operator's own choice. ``timeout`` (seconds) holds for a whole send.
    """

    name: Final = "webhook"
    id: Final = None
    rate: Final[Rate] = UNLIMITED
    idempotency: Final = "key"
    # Receivers are asked (docs) to remember ids for a day.
    key_ttl: Final = timedelta(hours=24)

    def __init__(
        self,
        url: str,
        *,
        secret: str,
        allow_private: bool = False,
        timeout: float = 15.0,
        resolve: Resolve = resolve,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        try:
            self._url = httpx.URL(url)
        except (httpx.InvalidURL, TypeError):
            raise ChannelMisconfigured("WHYLEFT_WEBHOOK_URL is not an address: write https://host/path.") from None
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise ChannelMisconfigured("WHYLEFT_WEBHOOK_URL is not an address: write https://host/path.")
        if self._url.scheme == "http" and not allow_private:
            raise ChannelMisconfigured(
                "WHYLEFT_WEBHOOK_URL is not encrypted: write https://, or set WHYLEFT_WEBHOOK_ALLOW_PRIVATE=yes for an "
                "address inside your own network."
            )
        self._webhook = _signer(secret)
        self._allow_private = allow_private
        self._timeout = timeout
        self._resolve = resolve
        self._clock = clock
        self._port = self._url.port or (443 if self._url.scheme == "https" else 80)

    async def send(self, intent: SendIntent) -> Result:
        try:
            body = json.dumps(dict(intent.content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            encoded = body.encode()
        except (TypeError, ValueError):
            return Rejected("The content cannot be written as JSON.")
        if len(encoded) > MOST_BODY:
            return Rejected(f"The content is larger than {MOST_BODY} bytes of JSON.")
        if not _is_header_text(intent.key):
            return Rejected("The key cannot be a webhook-id: use up to 200 letters, digits and -_.: only.")
        started = False
        try:
            async with asyncio.timeout(self._timeout):
                addresses = await self._addresses()
                if isinstance(addresses, Rejected | Retry):
                    return addresses
                started = True
                return await self._post(addresses, intent.key, body)
        except TimeoutError:
            if not started:
                return Retry("The webhook's name could not be resolved in time.")
            return Unknown(f"The webhook did not answer within {self._timeout:g} s.")

    async def erase(self, person: Named) -> Erased:
        """Tells the receiver to forget somebody; it drops repeats by their id."""
        content = told_to_erase(person)
        if content is None:
            return Accepted(detail=NOTHING_TO_GO_BY)
        result = await self.send(SendIntent(person.key, None, content))
        if isinstance(result, Accepted):
            return Accepted(detail="The server's webhook was told to erase them (person.erase).")
        return Rejected(result.why) if isinstance(result, Suppress) else settled(result)

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported:
        return Unsupported()

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        return await no_callbacks(call)

    async def _addresses(self) -> list[str] | Rejected | Retry:
        try:
            found = await self._resolve(self._url.host, self._port)
        except (OSError, UnicodeError):
            return Retry(f"The name {self._url.host} cannot be resolved: check WHYLEFT_WEBHOOK_URL if this stays.")
        if not found:
            return Retry(f"The name {self._url.host} has no address: check WHYLEFT_WEBHOOK_URL if this stays.")
        # One inner address among public ones is refused too: which of them is used must not be luck.
        if not self._allow_private and not all(is_public(address) for address in found):
            return Rejected(
                f"{self._url.host} is not on the public internet: use a public address, or set "
                "WHYLEFT_WEBHOOK_ALLOW_PRIVATE=yes if this one is your own."
            )
        return found[:MOST_ADDRESSES]

    async def _post(self, addresses: list[str], key: str, body: str) -> Result:
        now = self._clock().astimezone(UTC)
        headers = {
            "Host": self._url.netloc.decode("ascii"),
            "Content-Type": "application/json",
            "User-Agent": "Whyleft",
            "webhook-id": key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(key, now, body),
        }
        result: Result = Retry("The webhook has no address.")
        # trust_env off: a proxy from the environment would connect for us, unjudged.
        async with httpx.AsyncClient(
            verify=trusted(), timeout=self._timeout, trust_env=False, follow_redirects=False
        ) as client:
            for address in addresses:
                request = client.build_request(
                    "POST",
                    self._url.copy_with(host=address, fragment=None),
                    content=body.encode(),
                    headers=headers,
                    # The certificate is checked for the name, though we connect to its address.
                    extensions={"sni_hostname": self._url.host},
                )
                try:
                    answer = await client.send(request, stream=True)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    result = Retry(f"The webhook cannot be reached ({type(error).__name__}).")
                    continue
                except httpx.HTTPError as error:
                    return Unknown(f"The connection broke before the webhook answered ({type(error).__name__}).")
                # The body is not read: nothing in it is of use, and it may be endless.
                await answer.aclose()
                return classify(answer.status_code, answer.headers, now)
        return result


def classify(status: int, headers: httpx.Headers, now: datetime) -> Result:
    """What an HTTP status says of a webhook. Anything but 2xx is "not taken", as the scheme has it."""
    if 200 <= status < 300:
        return Accepted()
    if 300 <= status < 400:
        return Rejected(f"The webhook redirects ({status}), and redirects are not followed: set the final address.")
    if status == 410:
        return Suppress("The webhook says that it is gone (410): remove it, or set its new address.")
    if status in (408, 425, 429) or status >= 500:
        return Retry(f"The webhook answered {status}.", after=retry_after(headers.get("retry-after"), now))
    return Rejected(f"The webhook answered {status}: check its address and its secret.")


def _signer(secret: str) -> Webhook:
    advice = (
        "WHYLEFT_WEBHOOK_SECRET is not a signing secret: write whsec_ and the base64 of 24 to 64 random bytes, as "
        'printed by: echo "whsec_$(openssl rand -base64 32)".'
    )
    try:
        webhook = Webhook(secret)
    except (EmptyWebhookSecretError, ValueError):
        raise ChannelMisconfigured(advice) from None
    if not secret.startswith("whsec_") or len(secret) < len("whsec_") + 32:
        raise ChannelMisconfigured(advice)
    return webhook


def _is_header_text(key: str) -> bool:
    return (
        0 < len(key) <= 200 and key.isascii() and all(character.isalnum() or character in "-_.:" for character in key)
    )
