"""Which browser sessions came from a SAML login, so that the identity provider can end them."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import import_module
from typing import Any

from django.conf import settings

from astakos.logic import saml, sessions
from astakos.logic.saml import SamlLogin, SamlLogout
from astakos.models import SessionCatalog, UserAuthProvider

_KEY = "saml"


def remember(session: MutableMapping[str, Any], login: SamlLogin) -> None:
    """Keep in the browser's session what a logout at the identity provider needs."""
    session[_KEY] = {
        "provider": login.entity_id,
        "name_id": login.name_id,
        "session_index": login.session_index,
    }


def kept(session: MutableMapping[str, Any]) -> dict[str, str] | None:
    """Return what ``remember`` kept."""
    found = session.get(_KEY)
    return dict(found) if isinstance(found, dict) else None


def logout_url(found: dict[str, str] | None) -> str | None:
    """Return where the identity provider of what ``kept`` found ends its session; ``None`` if nowhere."""
    if found is None or "saml" not in settings.ASTAKOS_IM_MODULES:
        return None
    return saml.logout_url(**found)


def end(wanted: SamlLogout) -> int:
    """End the sessions that an identity provider named and return how many; all, if it named none.

    Sessions that the same user began with another login method stay.
    """
    owners = UserAuthProvider.objects.filter(
        module="saml", info_data__name_id=wanted.name_id, info_data__entity_id=wanted.entity_id
    )
    store = import_module(settings.SESSION_ENGINE).SessionStore
    ended = 0
    for row in SessionCatalog.objects.filter(user__in=owners.values("user")):
        session = store(session_key=row.session_key)
        found = kept(session)
        if found is None or found["provider"] != wanted.entity_id:
            continue
        if wanted.session_indexes and found["session_index"] not in wanted.session_indexes:
            continue
        session.delete()
        sessions.forget(row.session_key)
        ended += 1
    return ended
