"""The guest's accounts: its passwd, group and shadow files, and password hashes."""

from __future__ import annotations

import ctypes
import secrets
import string
import time
from dataclasses import dataclass

from gtools.osprovider.errors import DeployError
from gtools.osprovider.image_root import ImageRoot

SALT_CHARACTERS = string.ascii_letters + string.digits + "./"
ROUNDS = 200_000
BLOWFISH_COST = 12
DAY_SECONDS = 86_400
MAX_ID = 2**32 - 2


@dataclass(frozen=True)
class Account:
    """A login of the guest."""

    name: str
    uid: int
    gid: int
    home: str


def accounts(root: ImageRoot) -> dict[str, Account]:
    """Return the guest's logins by name."""
    found: dict[str, Account] = {}
    for fields in _fields(root, "/etc/passwd", 7):
        if fields[2].isdigit() and fields[3].isdigit():
            found.setdefault(fields[0], Account(fields[0], int(fields[2]), int(fields[3]), fields[5]))
    return found


def groups(root: ImageRoot) -> dict[str, int]:
    """Return the guest's group ids by name."""
    return {fields[0]: int(fields[2]) for fields in _fields(root, "/etc/group", 4) if fields[2].isdigit()}


def id_of(name: str, known: dict[str, int], kind: str) -> int:
    """Return the id for a name or number; raise `DeployError`."""
    if name in known:
        return known[name]
    if name.isascii() and name.isdigit() and int(name) <= MAX_ID:
        return int(name)
    if name == "root":
        return 0
    raise DeployError(f"the image has no {kind} {name[:64]!r}")


def set_passwords(root: ImageRoot, users: tuple[str, ...], hashed: str) -> list[str]:
    """Give users a password; return those that the guest does not have.

    hashed: the entry for the shadow file.
    """
    if not hashed or any(character in hashed for character in ":\n\r\0"):
        raise DeployError("the password hash is malformed")
    content = root.read("/etc/shadow")
    if content is None:
        raise DeployError("the image has no /etc/shadow")
    today = str(int(time.time()) // DAY_SECONDS)
    missing = set(users)
    lines = []
    for line in content.decode("utf-8", "surrogateescape").splitlines():
        fields = line.split(":")
        if fields[0] in users and len(fields) > 1:
            missing.discard(fields[0])
            fields[1] = hashed
            if len(fields) > 2:
                fields[2] = today
        lines.append(":".join(fields))
    root.rewrite("/etc/shadow", ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
    return sorted(missing)


def hash_password(password: str, method: str) -> str:
    """Return a password's hash for a Linux guest; methods below SHA-2 are raised to SHA-512.

    method: PASSWORD_HASHING_METHOD of the image, empty for the default (image contract 7).
    """
    salt = "".join(secrets.choice(SALT_CHARACTERS) for _ in range(16))
    if method == "blowfish":
        setting = f"$2b${BLOWFISH_COST}${_blowfish_salt()}"
    elif method == "sha256":
        setting = f"$5$rounds={ROUNDS}${salt}"
    else:
        setting = f"$6$rounds={ROUNDS}${salt}"
    hashed = _crypt(password.encode(), setting.encode())
    if not hashed.startswith(setting[:3]):
        raise DeployError("the password can't be hashed on this node")
    return hashed


def _blowfish_salt() -> str:
    alphabet = "./" + string.ascii_uppercase + string.ascii_lowercase + string.digits
    # Of the last character only two bits count; these four leave the rest zero.
    return "".join(secrets.choice(alphabet) for _ in range(21)) + secrets.choice(".Oeu")


def _crypt(password: bytes, setting: bytes) -> str:
    try:
        library = ctypes.CDLL("libcrypt.so.1")
    except OSError:
        raise DeployError("the node lacks libcrypt") from None
    library.crypt.restype = ctypes.c_char_p
    result: bytes | None = library.crypt(password, setting)
    return (result or b"").decode("ascii", "replace")


def _fields(root: ImageRoot, path: str, count: int) -> list[list[str]]:
    content = root.read(path) or b""
    lines = content.decode("utf-8", "surrogateescape").splitlines()
    return [fields for line in lines if len(fields := line.split(":")) >= count]
