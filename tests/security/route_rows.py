"""Rows of the table of routes and roles: what each call answers to each kind of caller.

Every row is one call on the world of ``roles_world``. Its last field lists the statuses for ``ROLES``;
``USERS`` and the like are the usual beginnings. Whoever adds a route adds a row.
"""

from __future__ import annotations

from typing import NamedTuple

#: ``service`` is another component's token; ``member`` is in the project that the owner's things are shared
#: with, and a file is shared with them for reading; ``project admin`` is one of ASTAKOS_PROJECT_ADMINS, whose
#: rights end outside projects; ``helpdesk`` is in the group of that name; ``administrator`` is a superuser.
#: The last two have rights on pages of their own and none in the APIs.
ROLES = (
    "anonymous",
    "service",
    "stranger",
    "member",
    "owner",
    "project admin",
    "helpdesk",
    "administrator",
)


class Row(NamedTuple):
    """One call and its answers by role."""

    method: str
    path: str
    statuses: tuple[int, ...]
    body: object = None
    headers: dict[str, str] = {}


def everybody(status: int) -> tuple[int, ...]:
    """Return the statuses of a call that asks for no token."""
    return (status,) * len(ROLES)


def users(status: int) -> tuple[int, ...]:
    """Return the statuses of a call that is the same for all users."""
    return (401, 401, *((status,) * 6))


def services(status: int) -> tuple[int, ...]:
    """Return the statuses of a call for components."""
    return (401, status, *((401,) * 6))


def by(stranger: int, member: int, owner: int, project_admin: int | None = None) -> tuple[int, ...]:
    """Return the statuses of a call whose answer depends on whose the thing is."""
    deciding = stranger if project_admin is None else project_admin
    return (401, 401, stranger, member, owner, deciding, stranger, stranger)


def row(method: str, path: str, statuses: tuple[int, ...], body: object = None, **headers: str) -> Row:
    """Return a row; headers are named with underscores for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Row(method, path, statuses, body, named)
