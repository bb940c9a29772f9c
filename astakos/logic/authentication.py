"""From a token to who is asking: the query that every request of every service makes first."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from synnefo import clock, crypto, request_id
from synnefo.credentials import Credentials
from synnefo.db import prepared
from synnefo.errors import Unauthorized

#: Longer than any token that was ever issued; no reason to hash more.
MAX_TOKEN_LENGTH = 255

#: What tokens of the v3 dialect begin with, so that one query finds either kind; no other token may.
SCOPED_PREFIX = "v3."

TEXT_WITHOUT_CREDENTIALS = "Access denied. No authentication token"
TEXT_OF_REFUSAL = "Invalid X-Auth-Token"


@dataclass(frozen=True, slots=True)
class Role:
    """A group as token answers show it; Go clients fail on a number, so the id is text."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class TokenScope:
    """What a token of Keystone's v3 dialect carries besides its user.

    ``project`` is empty for an unscoped token; ``application_credential`` is the public id of the credential
    that the token came from, and ``credential_id`` its row.
    """

    project: str
    project_name: str
    audit_id: str
    methods: tuple[str, ...]
    credential_id: int | None = None
    application_credential: str = ""
    unrestricted: bool = True


@dataclass(frozen=True, slots=True)
class Identity:
    """A user whose token was accepted; ``scope`` is set when it was one of the v3 dialect.

    ``parent_digest`` is the digest of the user's own token, which tokens made from this one die with.
    """

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
    parent_digest: str = ""
    scope: TokenScope | None = None

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
       CASE WHEN u.has_signed_terms THEN FALSE ELSE EXISTS (SELECT 1 FROM astakos_terms) END,
       {projects}, {roles}, u.auth_token_digest, {token}
"""
_USER = " u.auth_token_created, u.auth_token_expires FROM astakos_user u WHERE "
_USERS_OWN = _USER + "u.auth_token_digest = %s"
_BY_ID = _USER + "u.id = %s"
#: A scoped token whose user has another token by now is not found.
_SCOPED = """ s.created, s.expires, s.project,
       (SELECT j.realname FROM astakos_project j WHERE j.uuid = s.project),
       s.audit_id, s.methods, c.id, c.uuid, c.unrestricted
  FROM astakos_scoped_token s
  JOIN astakos_user u ON u.id = s.user_id AND u.auth_token_digest = s.parent_digest
  LEFT JOIN astakos_application_credential c ON c.id = s.application_credential_id
 WHERE s.digest = %s
"""
_PROJECTS = """SELECT p.uuid AS item FROM astakos_project_membership m
    JOIN astakos_project p ON p.id = m.project_id
    WHERE m.person_id = u.id AND m.state IN (1, 5) AND p.state = 1 ORDER BY p.id"""
_ROLES = """SELECT {id} || ':' || g.name AS item FROM astakos_user_groups ug
    JOIN auth_group g ON g.id = ug.group_id WHERE ug.user_id = u.id ORDER BY g.id"""

_SQLITE_LIST = "(SELECT json_group_array(item) FROM ({}))"


@lru_cache(maxsize=8)
def _query(vendor: str, token: str) -> str:
    """Return the statement for a database; written out because compiling it costs more than running it."""
    if vendor == "postgresql":
        projects, roles = _PROJECTS, _ROLES.format(id="g.id::text")
        as_list = "ARRAY({})"
    else:
        projects, roles = _PROJECTS, _ROLES.format(id="g.id")
        as_list = _SQLITE_LIST
    return _QUERY.format(
        projects=as_list.format(projects),
        roles=as_list.format(roles),
        token=token,
    )


def authenticate_identity(token: str | None, *, unknown: str = TEXT_OF_REFUSAL) -> Identity:
    """Return the user that *token*, of either dialect, belongs to, in one query (identity contract 0.3).

    Checks in this order that the token exists (the text *unknown* otherwise), that the user is active, that
    the token has not expired and that the terms of use are signed; raises ``Unauthorized``.
    """
    identity = find_identity(token)
    if identity is None:
        raise Unauthorized(unknown)
    return identity


def find_identity(token: str | None) -> Identity | None:
    """Return the user that *token* belongs to, ``None`` when there is no such token.

    Raises ``Unauthorized`` when there is one that may not be used.
    """
    if not token or len(token) > MAX_TOKEN_LENGTH:
        return None
    scoped = token.startswith(SCOPED_PREFIX)
    row = _row(_SCOPED if scoped else _USERS_OWN, crypto.token_digest(token))
    if row is None:
        return None
    if _moment(row[13]) <= clock.now() and row[7]:
        raise Unauthorized("Authentication expired")
    identity = _identity(token, row)
    return _narrowed(identity, row[14:]) if scoped else identity


def identity_of(user_id: int) -> Identity:
    """Return the user of this id, who proved it without a token; raises ``Unauthorized`` like the others."""
    row = _row(_BY_ID, user_id)
    if row is None:
        raise Unauthorized(TEXT_OF_REFUSAL)
    return _identity("", row)


def _row(token_part: str, value: str | int) -> tuple[Any, ...] | None:
    vendor = connections[DEFAULT_DB_ALIAS].vendor
    return prepared.fetch_one(_query(vendor, token_part), [value])


def _identity(token: str, row: tuple[Any, ...]) -> Identity:
    id_, uuid, username, email, first, last, default, active, unsigned, projects, roles, digest = row[:12]
    if not active:
        raise Unauthorized("User inactive")
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
        token_created=_moment(row[12]),
        token_expires=_moment(row[13]),
        parent_digest=digest,
    )


def _narrowed(identity: Identity, row: tuple[Any, ...]) -> Identity | None:
    """Return *identity* as far as its scoped token goes; ``None`` when its project is out of reach by now."""
    project, project_name, audit_id, methods, credential_id, credential, unrestricted = row
    scope = TokenScope(
        project=project,
        project_name=project_name or "",
        audit_id=audit_id,
        methods=tuple(_items(methods)),
        credential_id=credential_id,
        application_credential=credential or "",
        unrestricted=credential is None or bool(unrestricted),
    )
    return with_scope(identity, scope)


def with_scope(identity: Identity, scope: TokenScope) -> Identity | None:
    """Return *identity* narrowed to *scope*; ``None`` when it is not a member of the scope's project.

    The scope's project becomes the default. What came from an application credential reaches that project
    only, and without ``unrestricted`` it has none of the user's groups.
    """
    if scope.project and scope.project not in identity.projects:
        return None
    confined = bool(scope.application_credential)
    return replace(
        identity,
        scope=scope,
        default_project=scope.project or identity.default_project,
        projects=(scope.project,) if confined else identity.projects,
        roles=identity.roles if scope.unrestricted else (),
    )


def _moment(value: dt.datetime | str) -> dt.datetime:
    """Return a column's moment; SQLite hands out text without a zone."""
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    return value if value.tzinfo else value.replace(tzinfo=dt.UTC)


def _items(value: list[str] | str) -> list[str]:
    items: list[str] = json.loads(value) if isinstance(value, str) else value
    return items


_COMPONENT = "SELECT id, name, auth_token_expires FROM astakos_component WHERE auth_token_digest = %s"


def authenticate_component(token: str | None) -> ServiceIdentity:
    """Return the component that *token* belongs to; raises ``Unauthorized``."""
    if not token or len(token) > MAX_TOKEN_LENGTH:
        raise Unauthorized(TEXT_OF_REFUSAL)
    row = prepared.fetch_one(_COMPONENT, [crypto.token_digest(token)])
    if row is None:
        raise Unauthorized(TEXT_OF_REFUSAL)
    component_id, name, expires = row
    if expires is not None and _moment(expires) <= clock.now():
        raise Unauthorized("Authentication expired")
    return ServiceIdentity(component_id=component_id, name=name)
