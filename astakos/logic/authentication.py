"""From a token to who is asking: the query that every request of every service makes first."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from functools import lru_cache

from django.db import connection

from astakos.models import Component
from synnefo import clock, crypto, request_id
from synnefo.credentials import Credentials
from synnefo.errors import Unauthorized

#: Longer than any token that was ever issued; no reason to hash more.
MAX_TOKEN_LENGTH = 255

TEXT_WITHOUT_CREDENTIALS = "Access denied. No authentication token"
TEXT_OF_REFUSAL = "Invalid X-Auth-Token"


@dataclass(frozen=True, slots=True)
class Role:
    """A group as token answers show it; Go clients fail on a number, so the id is text."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Identity:
    """A user whose token was accepted."""

    id: int
    uuid: str
    username: str
    email: str
    name: str
    default_project: str
    projects: tuple[str, ...]
    roles: tuple[Role, ...]
    token: str
    token_created: dt.datetime
    token_expires: dt.datetime

    def credentials(self) -> Credentials:
        """Return what use cases need of the user."""
        return Credentials(
            user_id=self.uuid,
            projects=frozenset(self.projects),
            default_project=self.default_project,
            roles=frozenset(role.name for role in self.roles),
            request_id=request_id.current(),
        )


@dataclass(frozen=True, slots=True)
class ServiceIdentity:
    """A component whose token was accepted; ``name`` is the client key of its commissions."""

    component_id: int
    name: str


_QUERY = """
SELECT u.id, u.uuid, u.username, u.email, u.first_name, u.last_name, u.default_project, u.is_active,
       u.auth_token_created, u.auth_token_expires,
       CASE WHEN u.has_signed_terms THEN FALSE ELSE EXISTS (SELECT 1 FROM astakos_terms) END,
       {projects}, {roles}
  FROM astakos_user u
 WHERE u.auth_token_digest = %s
"""
_PROJECTS = """SELECT p.uuid AS item FROM astakos_project_membership m
    JOIN astakos_project p ON p.id = m.project_id
    WHERE m.person_id = u.id AND m.state IN (1, 5) AND p.state = 1 ORDER BY p.id"""
_ROLES = """SELECT {id} || ':' || g.name AS item FROM astakos_user_groups ug
    JOIN auth_group g ON g.id = ug.group_id WHERE ug.user_id = u.id ORDER BY g.id"""

_SQLITE_LIST = "(SELECT json_group_array(item) FROM ({}))"


@lru_cache(maxsize=4)
def _query(vendor: str) -> str:
    """Return the statement for a database; written out because compiling it costs more than running it."""
    if vendor == "postgresql":
        projects, roles = _PROJECTS, _ROLES.format(id="g.id::text")
        as_list = "ARRAY({})"
    else:
        projects, roles = _PROJECTS, _ROLES.format(id="g.id")
        as_list = _SQLITE_LIST
    return _QUERY.format(projects=as_list.format(projects), roles=as_list.format(roles))


def authenticate_identity(token: str | None, *, unknown: str = TEXT_OF_REFUSAL) -> Identity:
    """Return the user that *token* belongs to, in one query (identity contract 0.3).

    Checks in this order that the token exists (the text *unknown* otherwise), that the user is active, that
    the token has not expired and that the terms of use are signed; raises ``Unauthorized``.
    """
    if not token or len(token) > MAX_TOKEN_LENGTH:
        raise Unauthorized(unknown)
    with connection.cursor() as cursor:
        cursor.execute(_query(connection.vendor), [crypto.token_digest(token)])
        row = cursor.fetchone()
    if row is None:
        raise Unauthorized(unknown)
    id_, uuid, username, email, first, last, default, active, created, expires, unsigned, projects, roles = (
        row
    )
    expires = _moment(expires)
    if not active:
        raise Unauthorized("User inactive")
    if expires <= clock.now():
        raise Unauthorized("Authentication expired")
    if unsigned:
        raise Unauthorized("Pending approval terms")
    return Identity(
        id=id_,
        uuid=uuid,
        username=username,
        email=email,
        name=f"{first} {last}",
        default_project=default or uuid,
        projects=tuple(_items(projects)),
        roles=tuple(Role(*item.split(":", 1)) for item in _items(roles)),
        token=token,
        token_created=_moment(created),
        token_expires=expires,
    )


def _moment(value: dt.datetime | str) -> dt.datetime:
    """Return a column's moment; SQLite hands out text without a zone."""
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    return value if value.tzinfo else value.replace(tzinfo=dt.UTC)


def _items(value: list[str] | str) -> list[str]:
    items: list[str] = json.loads(value) if isinstance(value, str) else value
    return items


def authenticate_component(token: str | None) -> ServiceIdentity:
    """Return the component that *token* belongs to; raises ``Unauthorized``."""
    if not token or len(token) > MAX_TOKEN_LENGTH:
        raise Unauthorized(TEXT_OF_REFUSAL)
    row = (
        Component.objects.filter(auth_token_digest=crypto.token_digest(token))
        .values_list("id", "name", "auth_token_expires")
        .first()
    )
    if row is None:
        raise Unauthorized(TEXT_OF_REFUSAL)
    component_id, name, expires = row
    if expires is not None and expires <= clock.now():
        raise Unauthorized("Authentication expired")
    return ServiceIdentity(component_id=component_id, name=name)
