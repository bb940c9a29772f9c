"""User name and password checked by an LDAP directory or Active Directory (identity contract 4.5).

``AUTH_LDAP_*`` settings are those of django-auth-ldap: a template of the user's name in the directory (bind
mode) or a search for it (search mode), TLS, required groups. Only who somebody is comes from there; users
are made and found by our own rules.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from astakos.logic import auth_providers
from astakos.logic.external_identity import (
    ExternalIdentity,
    forced_fields,
    kept_attributes,
    mapped_fields,
    text_of,
)
from synnefo.errors import ServiceUnavailable

if TYPE_CHECKING:
    from django_auth_ldap.backend import LDAPBackend

log = logging.getLogger("astakos.ldap_login")

#: Seconds until a directory that does not answer counts as down.
_TIMEOUT = 5
_MAX_USERNAME_LENGTH = 255
_MAX_PASSWORD_LENGTH = 1024


def _backend() -> LDAPBackend:
    """Return django-auth-ldap's backend; raises ``ImproperlyConfigured`` when it is not installed."""
    try:
        import ldap
        from django_auth_ldap.backend import LDAPBackend
    except ImportError as error:
        raise ImproperlyConfigured(
            "the login method 'ldap' needs python-ldap and django-auth-ldap: pip install 'synnefo[ldap]'"
        ) from error
    backend = LDAPBackend()
    backend.default_settings = {
        "CONNECTION_OPTIONS": {ldap.OPT_NETWORK_TIMEOUT: _TIMEOUT, ldap.OPT_TIMEOUT: _TIMEOUT}
    }
    return backend


def check_password(*, username: str, password: str) -> ExternalIdentity | None:
    """Return who has this name and password, or ``None`` when nobody has.

    Raises ``ServiceUnavailable`` when the directory does not answer or refuses our own account, and
    ``BadRequest`` when the entry lacks an attribute that is needed.
    """
    username = username.strip()
    if not username or not password or "\0" in username + password:
        return None
    if len(username) > _MAX_USERNAME_LENGTH or len(password) > _MAX_PASSWORD_LENGTH:
        return None
    found = _look_up(username, password)
    if found is None:
        return None
    attributes, groups = found
    return _identity(username, attributes, groups)


def _look_up(username: str, password: str) -> tuple[Mapping[str, Any], tuple[str, ...] | None] | None:
    """Return the entry's attributes and, where groups are mirrored, its groups; ``None`` when refused."""
    backend = _backend()
    import ldap
    from django_auth_ldap.backend import _LDAPUser

    entry = _LDAPUser(backend, username=username)
    try:
        if backend.settings.USER_DN_TEMPLATE is None:
            # Searching hides that the directory is down; binding first tells.
            entry.connection  # noqa: B018  (looking at it connects)
        entry._authenticate_user_dn(password)
        entry._check_requirements()
        attributes = dict(entry.attrs or {})
        mirror = auth_providers.provider("ldap").policy.mirror_groups and backend.settings.GROUP_SEARCH
        return attributes, tuple(entry.group_names) if mirror else None
    except _LDAPUser.AuthenticationFailed:
        return None
    except ldap.LDAPError as error:
        log.error(
            "the LDAP directory %s does not answer as it should: %r", backend.settings.SERVER_URI, error
        )
        raise ServiceUnavailable(
            _("The directory of your organisation does not answer. Please try again or log in another way.")
        ) from error


def _identity(
    username: str, attributes: Mapping[str, Any], groups: tuple[str, ...] | None
) -> ExternalIdentity:
    # Names of LDAP attributes are the same in any case.
    folded = {name.lower(): value for name, value in attributes.items()}
    fields = mapped_fields("ldap", _AnyCase(folded))
    return ExternalIdentity(
        module="ldap",
        affiliation=text_of("", folded.get("o")) or "LDAP",
        info={"username": username, **kept_attributes("ldap", _AnyCase(folded))},
        forced=forced_fields("ldap"),
        groups=groups,
        **fields,
    )


class _AnyCase(dict[str, Any]):
    """Attributes by their names in any case; keys are lower-case."""

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(key.lower())

    def get(self, key: str, default: Any = None) -> Any:
        """Return the attribute called *key* in any case."""
        return super().get(key.lower(), default)
