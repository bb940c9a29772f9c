"""People whom a web server in front has authenticated with mod_shib (identity contract 4.5).

The headers are believed because ``synnefo.middleware`` removes them from every request that does not come
from a trusted proxy.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.utils.translation import gettext as _

from astakos.logic.auth_providers import MAX_IDENTIFIER_LENGTH, owner_of
from astakos.logic.external_identity import ExternalIdentity, split_name
from astakos.models import UserAuthProvider
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic
from synnefo.errors import BadRequest

DEFAULT_AFFILIATION = "Shibboleth"
_MAX_HEADER_LENGTH = 1024
_MAX_HEADERS = 64


def identity_from(meta: Mapping[str, object]) -> ExternalIdentity:
    """Return who the request with the environment *meta* is from.

    Raises ``BadRequest`` without a unique identifier, or without a name when policy demands one.
    """
    headers = _shibboleth_headers(meta)
    remote_user = _text(meta.get("HTTP_REMOTE_USER")) or _text(meta.get("REMOTE_USER"))
    eppn = _text(meta.get("HTTP_EPPN"))
    full_name = headers.get("Shib-Inetorgperson-Displayname") or headers.get("Shib-Person-Commonname") or ""
    if settings.DEBUG:
        remote_user = remote_user or settings.SHIBBOLETH_TEST_REMOTE_USER
        eppn = eppn or settings.SHIBBOLETH_TEST_EPPN
        full_name = full_name or settings.SHIBBOLETH_TEST_FULLNAME
    if not remote_user:
        raise BadRequest(
            _("Your academic account sent no unique identifier. Please ask your institution's support.")
        )
    if len(remote_user) > MAX_IDENTIFIER_LENGTH:
        raise BadRequest(
            _("The provider sent a value that is too long for: %(field)s") % {"field": "Remote-User"}
        )
    first, last = headers.get("Shib-Inetorgperson-Givenname", ""), headers.get("Shib-Person-Surname", "")
    if full_name:
        first, last = split_name(full_name)
    if settings.ASTAKOS_SHIBBOLETH_REQUIRE_NAME_INFO and not (first or last):
        raise BadRequest(
            _("Your academic account sent no name. Please ask your institution to release it to us.")
        )
    email = headers.get("Shib-Mail", "")
    return ExternalIdentity(
        module="shibboleth",
        identifier=remote_user,
        email=email[:255],
        first_name=first,
        last_name=last,
        affiliation=headers.get("Shib-Ep-Affiliation") or DEFAULT_AFFILIATION,
        info={
            "eppn": eppn,
            "email": email,
            "name": full_name or f"{first} {last}".strip(),
            "headers": headers,
            "user_id": remote_user,
        },
    )


def _text(value: object) -> str:
    """Return a header as text: servers hand over UTF-8 as if it were Latin-1."""
    if not isinstance(value, str):
        return ""
    try:
        value = value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        pass
    return value.strip()


def _shibboleth_headers(meta: Mapping[str, object]) -> dict[str, str]:
    """Return all ``Shib-*`` headers by name, in the capitals that header names are normalised to."""
    found = {
        key.removeprefix("HTTP_").replace("_", "-").title(): _text(value)[:_MAX_HEADER_LENGTH]
        for key, value in meta.items()
        if key.startswith("HTTP_SHIB_")
    }
    return dict(sorted(found.items())[:_MAX_HEADERS])


def migrate_eppn(identity: ExternalIdentity) -> bool:
    """Move the account that is known by its eppn to the Remote-User identifier; tell whether there was one.

    Only when ``ASTAKOS_SHIBBOLETH_MIGRATE_EPPN`` is set and nobody has the new identifier.
    """
    eppn = str(identity.info.get("eppn", ""))
    if not settings.ASTAKOS_SHIBBOLETH_MIGRATE_EPPN or not eppn or eppn == identity.identifier:
        return False
    with atomic():
        if owner_of(module="shibboleth", identifier=identity.identifier) is not None:
            return False
        row = owner_of(module="shibboleth", identifier=eppn)
        if row is None:
            return False
        changed = UserAuthProvider.objects.filter(pk=row.pk, identifier=eppn).update(
            identifier=identity.identifier
        )
        audit.record(
            Credentials.administrator(),
            "user.migrate_eppn",
            f"user:{row.user.uuid}",
            before=eppn,
            identifier=identity.identifier,
        )
    return bool(changed)
