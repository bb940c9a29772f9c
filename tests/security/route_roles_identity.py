"""Rows of the route table for projects, memberships and the Keystone v3 dialect; see ``route_roles``."""

from __future__ import annotations

from tests.security.route_rows import by, everybody, row, users

_P = "astakos/account/v1.0/projects"
_MEMBERSHIPS = f"{_P}/memberships"
_NEW = {"name": "new.example", "end_date": "2200-01-01T00:00:00+00:00"}
_JOIN = {"join": {"project": "{project}"}}

PROJECTS = [
    row("POST", _P, users(201), _NEW),
    row("PUT", f"{_P}/{{project}}", by(403, 403, 201, 201), {"description": "d"}),
    row("POST", f"{_P}/{{project}}/action", by(403, 403, 403, 200), {"suspend": {"reason": "r"}}),
    row("GET", _MEMBERSHIPS, users(200)),
    # The project is open to everybody who is not in it.
    row("POST", _MEMBERSHIPS, by(200, 409, 409), _JOIN),
    row("GET", f"{_MEMBERSHIPS}/{{membership}}", by(403, 200, 200, 200)),
    row("POST", f"{_MEMBERSHIPS}/{{membership}}/action", by(403, 200, 403, 200), {"leave": ""}),
]

_V3 = "astakos/identity/v3"
_USER = f"{_V3}/users/{{owner}}"
_CREDENTIALS = f"{_USER}/application_credentials"
_LOGIN = {"auth": {"identity": {"methods": ["token"], "token": {"id": "{token}"}}}}
#: Checking somebody's token is for the user and for components (and for groups that no role here is in).
_CHECK = (401, 200, 403, 403, 200, 403, 403, 403)

V3 = [
    row("GET", f"{_V3}/", everybody(200)),
    row("POST", f"{_V3}/auth/tokens", everybody(201), _LOGIN),
    row("GET", f"{_V3}/auth/tokens", _CHECK, X_Subject_Token="{token}"),
    row("HEAD", f"{_V3}/auth/tokens", _CHECK, X_Subject_Token="{token}"),
    # A user's own token is renewed, not revoked; this takes back what was issued in its place.
    row("DELETE", f"{_V3}/auth/tokens", (401, *((403,) * 7)), X_Subject_Token="{token}"),
    *(row("GET", f"{_V3}/{path}", users(200)) for path in (
        "auth/catalog", "auth/projects", "auth/domains", "projects", "users", "domains", "domains/default",
        "services", "endpoints", "regions", "regions/default",
    )),
    *(row("GET", f"{_V3}/{path}/none", users(404)) for path in ("services", "endpoints")),
    row("GET", f"{_V3}/projects/{{project}}", by(404, 200, 200)),
    row("GET", _USER, by(403, 403, 200)),
    row("GET", f"{_USER}/projects", by(403, 403, 200)),
    row("GET", _CREDENTIALS, by(403, 403, 200)),
    row("POST", _CREDENTIALS, by(403, 403, 201), {"application_credential": {"name": "n"}}),
    row("GET", f"{_CREDENTIALS}/none", by(403, 403, 404)),
    row("DELETE", f"{_CREDENTIALS}/none", by(403, 403, 404)),
]  # fmt: skip

_ADMIN = "astakos/identity/v2.0/users"
#: Off unless the site switches it on, and then for its own groups; see ``USERS_SWITCHED_ON``.
USERS = [
    *(row(verb, f"{_ADMIN}{path}", everybody(400), {}) for verb, path in (
        ("GET", ""), ("POST", ""), ("GET", "/detail"), ("GET", "/{owner}"), ("PUT", "/{owner}"),
        ("POST", "/{owner}/action"),
    )),
    row("GET", "astakos/admin/stats", everybody(200)),
    row("GET", "astakos/admin/stats/detail", users(403)),
    row("GET", "astakos/admin/", everybody(404)),
]  # fmt: skip


def _helpdesk(status: int) -> tuple[int, ...]:
    """Return the statuses of a call for the group ``helpdesk`` alone, superusers notwithstanding."""
    return (401, 401, 403, 403, 403, 403, status, 403)


_NINA = {"username": "nina@lab.example", "first_name": "Nina", "last_name": "New"}
#: The same calls where the site switched them on for ``helpdesk``.
USERS_SWITCHED_ON = [
    row("GET", _ADMIN, _helpdesk(200)),
    row("POST", _ADMIN, _helpdesk(200), {"user": _NINA}),
    row("GET", f"{_ADMIN}/detail", _helpdesk(200)),
    row("GET", f"{_ADMIN}/{{owner}}", _helpdesk(200)),
    row("PUT", f"{_ADMIN}/{{owner}}", _helpdesk(200), {"user": {"first_name": "Nina"}}),
    row("POST", f"{_ADMIN}/{{owner}}/action", _helpdesk(200), {"renewToken": {}}),
]

GRANTS = [
    row("GET", "astakos/oauth2/auth", everybody(400)),
    row("POST", "astakos/oauth2/token", everybody(400)),
    row("GET", "astakos/", everybody(302)),
    row("GET", "astakos/weblogin", everybody(301)),
    row("GET", "astakos/weblogin/login", everybody(400)),
]

ROWS = [*PROJECTS, *V3, *USERS, *GRANTS]
