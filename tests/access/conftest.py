"""The application on a real database, as the tests of the HTTP operations have it."""

from tests.api.conftest import api

__all__ = ["api"]
