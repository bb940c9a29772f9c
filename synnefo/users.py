"""How the kernel's commands translate between user uuids and e-mail addresses.

The identity service provides the translation when its app is loaded, because the kernel may not import a
service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol


class Catalog(Protocol):
    """What a translation gives back; unknown entries are absent."""

    @property
    def emails_by_uuid(self) -> Mapping[str, str]: ...  # noqa: D102  (said above)

    @property
    def uuids_by_email(self) -> Mapping[str, str]: ...  # noqa: D102  (said above)


Provider = Callable[..., Catalog]
_providers: list[Provider] = []


def provide_catalog(provider: Provider) -> None:
    """Register the function that answers ``provider(uuids=…, emails=…)``; the last one wins."""
    _providers.append(provider)


def emails_of(uuids: Sequence[str]) -> Mapping[str, str]:
    """Return the e-mail addresses of the known ones of *uuids*."""
    return _providers[-1](uuids=uuids, emails=()).emails_by_uuid if _providers else {}


def uuid_of(text: str) -> str:
    """Return the uuid that *text*, a uuid or an e-mail address, names; unknown text is returned as is."""
    if "@" not in text or not _providers:
        return text
    return _providers[-1](uuids=(), emails=[text]).uuids_by_email.get(text, text)
