"""What the demo shop sells: products, categories and reviews, read once from ``products.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

Id = Annotated[str, Meta(pattern="^[a-z0-9-]{1,64}$")]


class Review(Struct, frozen=True, forbid_unknown_fields=True):
    """One customer's opinion: 1 to 5 stars."""

    author: str
    stars: Annotated[int, Meta(ge=1, le=5)]
    title: str
    text: str


class Category(Struct, frozen=True, forbid_unknown_fields=True):
    """A shelf of the shop."""

    id: Id
    name: str
    line: str


class Product(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing to buy. ``picture`` describes the drawing in ``pictures/<id>.svg`` for those who cannot see it."""

    id: Id
    name: str
    category: Id
    price_minor: Annotated[int, Meta(gt=0)]
    stock: Annotated[int, Meta(ge=0)]
    line: str
    picture: str
    story: str
    facts: list[tuple[str, str]]
    reviews: list[Review]

    @property
    def stars(self) -> float | None:
        """Mean of the reviews' stars, one decimal; None without reviews."""
        if not self.reviews:
            return None
        return round(sum(review.stars for review in self.reviews) / len(self.reviews), 1)


class Catalogue(Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. Prices are minor units of ``currency`` and include tax."""

    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    categories: list[Category]
    products: list[Product]

    def product(self, product_id: str) -> Product | None:
        return next((product for product in self.products if product.id == product_id), None)

    def category(self, category_id: str) -> Category | None:
        return next((category for category in self.categories if category.id == category_id), None)

    def find(self, *, category: str | None = None, words: str = "") -> list[Product]:
        """Products on the shelf ``category`` (None: all) that contain every one of ``words``, any case."""
        wanted = words.casefold().split()
        found = []
        for product in self.products:
            shelf = self.category(product.category)
            text = f"{product.name} {product.line} {product.story} {shelf.name if shelf else ''}".casefold()
            if category in (None, product.category) and all(word in text for word in wanted):
                found.append(product)
        return found

    def beside(self, product: Product, count: int = 4) -> list[Product]:
        """Other things to look at next to ``product``: its own shelf first."""
        others = [other for other in self.products if other.id != product.id]
        return sorted(others, key=lambda other: other.category != product.category)[:count]


def load_catalogue(path: Path) -> Catalogue:
    """Read ``products.json``. Raises ValueError with the place when a product is not complete."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Catalogue)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path.name}: {error}") from error
