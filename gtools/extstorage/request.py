"""What Ganeti asks of the provider, from the environment of a script (Ganeti contract 14.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gtools.extstorage.errors import StorageError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,200}")


@dataclass(frozen=True)
class Request:
    """A disk and what is to become of it; sizes in MiB.

    ``name`` is the volume's own name, ``ganeti_name`` what Ganeti made up for the disk, which is all there is
    for a disk without a name.
    """

    name: str
    ganeti_name: str
    size: int | None = None
    new_size: int | None = None
    reuse_data: bool = False
    keep_data: bool = False


def read(environment: Mapping[str, str]) -> Request:
    """Return the request that *environment* describes; raises ``StorageError`` when it is malformed."""
    ganeti_name = _checked(environment.get("VOL_NAME", ""))
    name = environment.get("VOL_CNAME") or ganeti_name
    return Request(
        name=_checked(name),
        ganeti_name=ganeti_name,
        size=_number(environment, "VOL_SIZE"),
        new_size=_number(environment, "VOL_NEW_SIZE"),
        reuse_data=_flag(environment, "EXTP_REUSE_DATA"),
        keep_data=_flag(environment, "EXTP_KEEP_DATA"),
    )


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise StorageError(f"'{name[:80]}' can't be the name of a volume")
    return name


def _number(environment: Mapping[str, str], key: str) -> int | None:
    text = environment.get(key, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise StorageError(f"{key} must be a number of MiB, not '{text[:40]}'")
    return int(text)


def _flag(environment: Mapping[str, str], key: str) -> bool:
    text = environment.get(key, "False")
    if text.lower() not in ("true", "false"):
        raise StorageError(f"{key} must be True or False, not '{text[:40]}'")
    return text.lower() == "true"
