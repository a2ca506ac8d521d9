"""The demo shop over HTTP: its pages from ``examples/shop``, filled in from the catalogue, beside its JSON API.

The pages load the browser SDK from the Whyleft server; when it is blocked or down the shop works the same.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from insights.demo.basket import COUNTRIES, DELIVERY_MINOR, FREE_FROM_MINOR, SURCHARGE_MINOR, NotNow
from insights.demo.carts import Sessions
from insights.demo.catalogue import Catalogue, load_catalogue
from insights.demo.headers import SecurityHeaders
from insights.demo.shop_api import COOKIE, ShopApi, problem
from insights.demo.templates import page_templates
from insights.errors import NotFound
from insights.shipped import shipped
from insights.vocabulary.checkout import CHECKOUT_STEPS


class ShopPages:
    """Handlers of the pages. Everything a visitor can read is in the HTML; only the basket needs JavaScript."""

    def __init__(
        self, *, catalogue: Catalogue, templates: Environment, sessions: Sessions, left: dict[str, int]
    ) -> None:
        self._catalogue = catalogue
        self._templates = templates
        self._sessions = sessions
        self._left = left

    def render(self, request: Request, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        template = self._templates.get_template(f"{name}.html")
        return HTMLResponse(template.render(page=name, left=self._left, **context), status_code=status)

    def missing(self, request: Request) -> HTMLResponse:
        return self.render(request, "missing", status=404)

    async def home(self, request: Request) -> Response:
        """``?category=`` narrows to a shelf, ``?q=`` searches."""
        words = request.query_params.get("q", "").strip()[:80]
        category = request.query_params.get("category") or None
        shelf = self._catalogue.category(category) if category else None
        if category and shelf is None:
            return self.missing(request)
        found = self._catalogue.find(category=category, words=words)
        return self.render(request, "home", products=found, shelf=shelf, words=words)

    async def product(self, request: Request) -> Response:
        product = self._catalogue.product(request.path_params["product_id"])
        if product is None:
            return self.missing(request)
        shelf, beside = self._catalogue.category(product.category), self._catalogue.beside(product)
        return self.render(request, "product", product=product, shelf=shelf, beside=beside)

    async def cart(self, request: Request) -> Response:
        return self.render(request, "cart")

    async def checkout(self, request: Request) -> Response:
        return self.render(request, "checkout", steps=CHECKOUT_STEPS, countries=COUNTRIES)

    async def thank_you(self, request: Request) -> Response:
        """Shows an order only to the browser that placed it."""
        session = self._sessions.find(request.cookies.get(COOKIE))
        order = session.orders.get(request.query_params.get("order", "")) if session else None
        if order is None:
            return self.missing(request)
        return self.render(request, "thank-you", order=order)

    async def returns(self, request: Request) -> Response:
        return self.render(request, "returns")

    async def break_it(self, request: Request) -> Response:
        return self.render(request, "break")


def create_shop(
    *,
    api_url: str,
    write_key: str,
    secret_key: str | None,
    inbox_url: str | None,
    viewer_url: str | None,
    slow_seconds: float = 3.0,
) -> Starlette:
    """Build the shop.

    ``api_url`` is the Whyleft server: the pages load the SDK from it, and codes are redeemed there with ``secret_key``
    (None: every code is refused). ``write_key`` is public and stands in the pages. ``inbox_url`` and ``viewer_url`` are
    linked in the footer. ``slow_seconds`` is how long a slow checkout takes a step. Raises ValueError when ``api_url``
    is no http address, NotFound when the shop's files are missing.
    """
    address = urlsplit(api_url)
    if address.scheme not in {"http", "https"} or not address.netloc:
        raise ValueError(f"{api_url!r} is no address of a server: write it like http://127.0.0.1:8080.")
    api_url = api_url.rstrip("/")
    origin = f"{address.scheme}://{address.netloc}"
    folder = shipped("shop")
    if not (folder / "products.json").is_file():
        raise NotFound("The demo shop's files (examples/shop) are missing: install Whyleft again.")
    catalogue = load_catalogue(folder / "products.json")
    templates = page_templates(folder / "pages")
    templates.globals.update(
        catalogue=catalogue,
        free_from_minor=FREE_FROM_MINOR,
        delivery_minor=DELIVERY_MINOR,
        surcharge_minor=SURCHARGE_MINOR,
        api_url=api_url,
        write_key=write_key,
        inbox_url=inbox_url,
        viewer_url=viewer_url,
    )
    sessions = Sessions()
    left = {product.id: product.stock for product in catalogue.products}
    pages = ShopPages(catalogue=catalogue, templates=templates, sessions=sessions, left=left)
    api = ShopApi(
        catalogue=catalogue,
        sessions=sessions,
        left=left,
        api_url=api_url,
        secret_key=secret_key,
        slow_seconds=slow_seconds,
    )

    async def declined(request: Request, error: Exception) -> Response:
        assert isinstance(error, NotNow)  # noqa: S101 - registered for it alone
        return problem(error.status, error.detail, field=error.field, step=error.step)

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        if request.url.path.startswith("/api/"):
            return problem(error.status_code, error.detail)
        if error.status_code == 404:
            return pages.missing(request)
        return Response(error.detail, status_code=error.status_code, headers=error.headers)

    return Starlette(
        routes=[
            Route("/", pages.home),
            Route("/product/{product_id}", pages.product),
            Route("/cart", pages.cart),
            Route("/checkout", pages.checkout),
            Route("/thank-you", pages.thank_you),
            Route("/returns", pages.returns),
            Route("/break", pages.break_it),
            Route("/api/cart", api.read_cart, methods=["GET"]),
            Route("/api/cart", api.change_cart, methods=["POST"]),
            Route("/api/coupon", api.try_coupon, methods=["POST"]),
            Route("/api/checkout", api.check_out, methods=["POST"]),
            Mount("/assets", StaticFiles(directory=folder / "assets")),
            Mount("/pictures", StaticFiles(directory=folder / "pictures")),
        ],
        middleware=[
            Middleware(
                SecurityHeaders,
                policy=f"default-src 'self'; script-src 'self' {origin}; connect-src 'self' {origin}; "
                "style-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
                "form-action 'self'; frame-ancestors 'none'",
            )
        ],
        exception_handlers={NotNow: declined, HTTPException: http_error},
    )
