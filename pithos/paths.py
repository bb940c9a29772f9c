"""Names of accounts, containers and objects: their limits, their order and their ancestors."""

from __future__ import annotations

from synnefo.errors import BadRequest

MAX_ACCOUNT = 256
MAX_CONTAINER = 256
MAX_OBJECT = 1024
# An index entry of PostgreSQL holds 2,704 bytes; the characters of a name may take four bytes each.
MAX_OBJECT_BYTES = 2048

_LAST_CHARACTER = 0x10FFFF


def check_account(name: str) -> str:
    """Return ``name`` if it can name an account; raise BadRequest."""
    return _check("account", name, MAX_ACCOUNT)


def check_container(name: str) -> str:
    """Return ``name`` if it can name a container; raise BadRequest."""
    return _check("container", name, MAX_CONTAINER)


def check_object(name: str) -> str:
    """Return ``name`` if it can name an object; raise BadRequest (object-storage contract 2.7)."""
    return _check("object", name, MAX_OBJECT)


def _check(kind: str, name: str, limit: int) -> str:
    if not name:
        raise BadRequest(f"The {kind} name is empty.")
    if len(name) > limit or len(encode(name)) > MAX_OBJECT_BYTES:
        raise BadRequest(f"The {kind} name is longer than {limit} characters or {MAX_OBJECT_BYTES} bytes.")
    if "\0" in name:
        raise BadRequest(f"The {kind} name contains a NUL character.")
    return name


def encode(text: str) -> bytes:
    """Return the UTF-8 form of ``text``; raise BadRequest for text that has none."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BadRequest("The name is not valid Unicode.") from None


def prefix_end(prefix: str) -> str | None:
    """Return the smallest text, in byte order, that is after every text beginning with ``prefix``.

    None means that there is none: the prefix is empty or consists of the last Unicode character only.
    """
    for end in range(len(prefix), 0, -1):
        code = ord(prefix[end - 1]) + 1
        if 0xD800 <= code <= 0xDFFF:  # surrogates are no characters
            code = 0xE000
        if code <= _LAST_CHARACTER:
            return prefix[: end - 1] + chr(code)
    return None


def ancestors(name: str) -> list[str]:
    """Return every name that can be a directory object above ``name``, with and without trailing slash."""
    found: list[str] = []
    position = name.find("/")
    while position != -1:
        if name[:position]:
            found.append(name[:position])
        if position + 1 < len(name):
            found.append(name[: position + 1])
        position = name.find("/", position + 1)
    return found


def is_directory_type(content_type: str) -> bool:
    """Tell whether an object of this content type is a directory, whose grants reach below it."""
    return content_type.split(";", 1)[0].strip().lower() in ("application/directory", "application/folder")


def below(directory: str) -> str:
    """Return the prefix of the names below a directory object."""
    return directory if directory.endswith("/") else directory + "/"
