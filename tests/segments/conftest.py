"""The application on a real database, as in tests/api."""

from tests.api.conftest import api

__all__ = ["api"]
