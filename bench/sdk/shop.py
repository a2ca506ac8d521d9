"""A shop on loopback whose pages carry one script, and a collector that takes whatever that script sends."""

from __future__ import annotations

import gzip
import re
import threading
import zlib
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote_plus, urlsplit

CARDS = "".join(
    f"<article class=card data-section=s{n}><h3>Mug {n}</h3><b data-price>{n}.00</b><button>Add</button></article>"
    for n in range(500)
)
STYLE = "<style>.card{display:inline-block;width:140px;margin:4px}</style>"
# What any shop's own script does with prices, the cart and pictures. The browser makes its side of these things ready
# once a page, for whoever is the first to use them: without this script that would be counted as the guest's.
OWN_SCRIPT = """<script>{
  const price = new Intl.NumberFormat('en', {style: 'currency', currency: 'EUR'});
  addEventListener('DOMContentLoaded', () => {
    for (const tag of document.querySelectorAll('[data-price]'))
      tag.title = price.format(tag.textContent * 1.21) + tag.textContent * 0.21;
    const cart = JSON.parse(localStorage.getItem('cart') || '{"lines": []}');
    localStorage.setItem('cart', JSON.stringify({...cart, seen_at: Date.now()}));
    fetch('/cart', {method: 'POST', body: JSON.stringify(cart)}).then((answer) => answer.text());
    document.body.classList.toggle('small', matchMedia('(max-width: 600px)').matches);
    document.body.lang = new URL(location.href).searchParams.get('language') || navigator.language;
    new IntersectionObserver(() => {}).observe(document.querySelector('.card'));
  });
}</script>"""
BARE = "/bare"
"""The path of a page without a script of the shop's own."""
MARKER = re.compile(r"evt-(\d+)-")


@dataclass
class Shop:
    """What is served, and what was received."""

    scripts: list[Path]
    head: str = ""
    origin: str = ""
    bodies: list[str] = field(default_factory=list)

    def arrived(self) -> set[str]:
        """The numbers of the events that arrived."""
        return {number for body in list(self.bodies) for number in MARKER.findall(body)}

    def requests(self) -> int:
        """How many requests carried any of them."""
        return sum(1 for body in list(self.bodies) if MARKER.search(body))


@contextmanager
def open_shop(scripts: list[Path], head: str) -> Iterator[Shop]:
    """A shop with ``head`` in every page, until the block is left. Files come from the folders in ``scripts``."""
    shop = Shop(scripts)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"shop": shop}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    shop.origin = f"http://127.0.0.1:{server.server_address[1]}"
    shop.head = head.replace("ORIGIN", shop.origin)
    try:
        yield shop
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    shop: Shop

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        name = path.rsplit("/", 1)[1]
        file = next((folder / name for folder in self.shop.scripts if (folder / name).is_file()), None)
        if file is not None and path.endswith(".js"):
            return self._answer(file.read_bytes(), "text/javascript")
        if "." in name or path.startswith(("/array", "/flags", "/static")):
            return self._answer(b"{}", "application/json")
        own = "" if path == BARE else OWN_SCRIPT
        html = f"<!doctype html><title>Shop</title>{STYLE}{own}{self.shop.head}<h1>Shop</h1>{CARDS}"
        return self._answer(html.encode(), "text/html; charset=utf-8")

    def do_POST(self) -> None:
        self.shop.bodies.append(_text(self.rfile.read(int(self.headers.get("Content-Length") or 0))))
        self._answer(b"{}", "application/json")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            # Isolated pages have a clock of microseconds.
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
        }
        for header in headers.items():
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        # A killed page does not wait for its answers.
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """A bench prints its table."""


def _text(body: bytes) -> str:
    """What a script sent, uncompressed: gzip, deflate, a form with base64 in it, or plain."""
    for open_ in (gzip.decompress, zlib.decompress):
        try:
            return open_(body).decode(errors="replace")
        except (OSError, zlib.error, EOFError):
            continue
    text = body.decode(errors="replace")
    if text.startswith("data="):
        try:
            return b64decode(unquote_plus(text[5:])).decode(errors="replace")
        except ValueError:
            return text
    return text
