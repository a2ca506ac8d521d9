"""Opens the port that a process listens on, and says what to do where it cannot."""

from __future__ import annotations

import socket

from insights.errors import WhyleftError


class PortTaken(WhyleftError):
    """Somebody else listens where we were asked to."""


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket; port 0 takes any free one. An IPv6 address may stand in brackets. Raises PortTaken.

    ``shared``: others that are shared too may listen on the same port, and the system deals connections out to them.
    """
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"Cannot listen on {authority(host, port)} ({error.strerror}). Stop what uses it, or choose another with "
            "--port."
        ) from None
    return listener


def authority(host: str, port: int) -> str:
    """Host and port as a URL has them: an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
