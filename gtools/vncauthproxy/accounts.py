"""The file of users who may ask for consoles: lines ``user:$6$salt$hash`` (compute contract 8.3)."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from pathlib import Path

from passlib.hash import sha512_crypt

_USER = re.compile(r"[a-z_][a-z0-9_]{0,30}")
#: What crypt(3) does for hashes that name no number of rounds, which all readers of the file understand.
_ROUNDS = 5000
#: Longer passwords would only cost time.
MAX_PASSWORD = 512


class AccountsError(Exception):
    """The file of users can't be used; the text names it and the line."""


def is_user_name(name: str) -> bool:
    """Tell whether *name* may be a user's."""
    return _USER.fullmatch(name) is not None


def hash_password(password: str) -> str:
    """Return the SHA-512 crypt hash of *password* under a new salt."""
    return str(sha512_crypt.using(rounds=_ROUNDS).hash(password))


class Accounts:
    """The users of one file, as last read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hashes: dict[str, str] = {}
        # Unknown users cost as much time as known ones.
        self._nobody = hash_password(secrets.token_hex(8))

    def load(self) -> int:
        """Read the file anew and return how many users it names; raises ``AccountsError``."""
        self._hashes = read_file(self.path)
        return len(self._hashes)

    def verify(self, user: str, password: str) -> bool:
        """Tell whether *user* has *password*; takes some milliseconds of computing time, always."""
        known = self._hashes.get(user)
        try:
            right = bool(sha512_crypt.verify(password[:MAX_PASSWORD], known or self._nobody))
        except ValueError:
            return False
        return right and known is not None and len(password) <= MAX_PASSWORD


def read_file(path: Path) -> dict[str, str]:
    """Return the hashes of a file by user; raises ``AccountsError``."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AccountsError(f"{path}: {error}") from error
    hashes = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        user, colon, hashed = line.strip().partition(":")
        if not colon or not is_user_name(user) or not sha512_crypt.identify(hashed):
            raise AccountsError(f"{path}: line {number} is not of the form user:$6$salt$hash")
        hashes[user] = hashed
    return hashes


def write_file(path: Path, hashes: dict[str, str]) -> None:
    """Replace a file whole or not at all; only its owner and group may read it."""
    try:
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        mode = 0o640
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            file.write(render(hashes))
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(mode)
            _keep_owner(path, temporary)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _keep_owner(path: Path, temporary: Path) -> None:
    """Root keeps the file readable for the daemon's user."""
    if path.exists() and os.geteuid() == 0:
        known = path.stat()
        os.chown(temporary, known.st_uid, known.st_gid)


def render(hashes: dict[str, str]) -> str:
    """Return the text of a file."""
    return "".join(f"{user}:{hashed}\n" for user, hashed in hashes.items())
