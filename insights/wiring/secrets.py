"""The secrets of a process: what signs its links, and what seals what must be read again."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from adapters.postgres.personal import Ring
from insights.sealing import Sealer, key_source
from insights.settings import SettingInvalid, Settings


def personal_ring(settings: Settings) -> Ring:
    """The keys of the columns that hold personal data."""
    read = key_source(settings.sealing_keys, settings.sealing_keys_file, signing_secret_of(settings))
    return Ring(read(), read)


def sealer(settings: Settings) -> Sealer:
    """What seals the secrets that must be read again."""
    read = key_source(settings.sealing_keys, settings.sealing_keys_file, signing_secret_of(settings))
    return Sealer(read(), read)


def lost_keys(settings: Settings) -> frozenset[str]:
    """The names of the keys of which the operator says that they are lost for good."""
    return frozenset(name.strip() for name in settings.lost_seals.split(",") if name.strip())


def signing_secret_of(settings: Settings) -> bytes:
    """What links and tokens are signed with: the settings' own, or one made once and kept. Raises SettingInvalid."""
    if settings.secret:
        if len(settings.secret) < 32:
            raise SettingInvalid("WHYLEFT_SECRET is shorter than 32 characters: use `openssl rand -hex 32`.")
        return settings.secret.encode()
    return _kept_secret(settings.data_dir / "secret")


def _kept_secret(path: Path) -> bytes:
    # Tickets and mails that are written beside it name people.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        # Exclusive: two processes that start at once must not sign with different secrets.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    made = secrets.token_hex(32).encode()
    with os.fdopen(descriptor, "wb") as file:
        file.write(made)
    return made
