"""What a provider says about a person, and which of its attributes become which field (identity 4.5)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from astakos.logic.auth_providers import MAX_IDENTIFIER_LENGTH
from astakos.logic.provider_modules import MODULES
from synnefo.errors import BadRequest

#: Fields of a user that a provider may supply.
FIELDS = ("identifier", "email", "first_name", "last_name")
_LENGTHS = {"identifier": MAX_IDENTIFIER_LENGTH, "email": 255, "first_name": 30, "last_name": 30}
_MAX_INFO_LENGTH = 1024
#: Binary attributes of Active Directory that identify an entry.
_GUIDS = frozenset({"objectguid"})


@dataclass(frozen=True, slots=True)
class ExternalIdentity:
    """A person as a provider knows them; ``forced`` are the fields that the user cannot change here."""

    module: str
    identifier: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    affiliation: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)
    forced: frozenset[str] = frozenset()
    #: Names of the provider's groups, or ``None`` when it told none.
    groups: tuple[str, ...] | None = None

    @property
    def needs_no_form(self) -> bool:
        """Tell whether everything that a sign-up form asks comes from the provider."""
        return {"email", "first_name", "last_name"} <= self.forced


def attribute_map(module: str) -> dict[str, tuple[Any, bool]]:
    """Return {user field: (attribute or callable, whether the user may change it)} of *module*."""
    configured = getattr(settings, f"ASTAKOS_AUTH_PROVIDER_{module.upper()}_USER_ATTR_MAP", None)
    chosen = {**MODULES[module].attributes, **(configured or {})}
    for name, entry in chosen.items():
        if name not in FIELDS or not isinstance(entry, list | tuple) or len(entry) != 2:
            raise ValueError(
                f"ASTAKOS_AUTH_PROVIDER_{module.upper()}_USER_ATTR_MAP: '{name}' must be one of "
                f"{', '.join(FIELDS)} and have the value (attribute, whether the user may change it)"
            )
    return {name: (entry[0], bool(entry[1])) for name, entry in chosen.items()}


def forced_fields(module: str) -> frozenset[str]:
    """Return the fields of a user that *module* supplies and the user cannot change."""
    if module not in MODULES:
        return frozenset()
    return frozenset(name for name, (_attribute, mutable) in attribute_map(module).items() if not mutable) - {
        "identifier"
    }


def text_of(attribute: str, value: Any) -> str:
    """Return one attribute's value as text; the first of several, GUIDs and other bytes in their form."""
    if isinstance(value, list | tuple):
        value = value[0] if value else ""
    if attribute.lower() in _GUIDS:
        raw = value.encode() if isinstance(value, str) else value
        if isinstance(raw, bytes) and len(raw) == 16:
            return str(uuid.UUID(bytes_le=raw))
    if isinstance(value, bytes):
        return value.hex()
    return "" if value is None else str(value).strip()


def _lookup(attributes: Mapping[str, Any], source: Any) -> str:
    if callable(source):
        return text_of("", source(attributes))
    return text_of(str(source), attributes.get(str(source)))


def mapped_fields(module: str, attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the user's fields from a provider's *attributes*.

    Raises ``BadRequest`` when an attribute is missing that the user could not fill in.
    """
    found = {}
    for name, (source, mutable) in attribute_map(module).items():
        value = _lookup(attributes, source)
        if not value and not mutable:
            raise BadRequest(
                _("Your account at %(title)s lacks the attribute for: %(field)s")
                % {"title": MODULES[module].title, "field": name.replace("_", " ")}
            )
        limit = _LENGTHS[name]
        if name in ("identifier", "email") and len(value) > limit:
            raise BadRequest(_("The provider sent a value that is too long for: %(field)s") % {"field": name})
        found[name] = value[:limit]
    return found


def kept_attributes(module: str, attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the raw attributes that ``…_PROVIDER_ATTRS`` wants kept."""
    wanted: Sequence[str] = getattr(settings, f"ASTAKOS_AUTH_PROVIDER_{module.upper()}_PROVIDER_ATTRS", ())
    values = {name: text_of(name, attributes.get(name)) for name in wanted}
    return {name: value[:_MAX_INFO_LENGTH] for name, value in values.items() if value}


def split_name(full_name: str) -> tuple[str, str]:
    """Return first and last name, split at the first space."""
    first, _space, last = full_name.strip().partition(" ")
    return first, last.strip()
