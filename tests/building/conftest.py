"""The application, with a flow to build on."""

from tests.api.conftest import api

__all__ = ["api"]
