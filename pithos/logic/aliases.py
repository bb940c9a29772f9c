"""Accounts named by their user's e-mail address, where a site still wants that (contract 2.2)."""

from __future__ import annotations

import re

from django.conf import settings

from astakos import public as astakos
from synnefo.errors import NotFound

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def account_of(name: str) -> str:
    """Return the account that a request names; only input is translated, answers have the uuid.

    Raises NotFound for an address of nobody.
    """
    if not settings.PITHOS_TRANSLATE_UUIDS or _UUID.fullmatch(name):
        return name
    uuid = astakos.user_catalog(emails=[name]).uuids_by_email.get(name)
    if uuid is None:
        raise NotFound("There is no such account.")
    return uuid
