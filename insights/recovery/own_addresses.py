"""Says whether an address that the operator gave can stand in links."""

from __future__ import annotations

from urllib.parse import urlsplit

from insights.settings import SettingInvalid


def check_url(name: str, url: str) -> None:
    """Raises SettingInvalid for ``url``, the setting ``name``, unless it is http(s) and nothing in it ends a link."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or any(c.isspace() or not c.isprintable() or c in '<>"' for c in url):
        raise SettingInvalid(f"{name} is {url!r}: write an address such as https://shop.example/.")


def check_base(name: str, url: str) -> None:
    """As ``check_url``, for an address that paths are put behind, and that strangers get to see."""
    check_url(name, url)
    if "?" in url or "#" in url or "@" in urlsplit(url).netloc:
        raise SettingInvalid(
            f"{name}: leave out what begins with ? or # and any user and password, as https://why.example."
        )
