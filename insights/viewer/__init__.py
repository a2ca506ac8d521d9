"""The viewer: server-rendered pages under /app that show why each visitor left and what was done about it."""

from insights.viewer.app import create_viewer

__all__ = ["create_viewer"]
