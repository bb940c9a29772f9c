"""Tokens of the Keystone v3 dialect: issued for one project, revoked one by one (identity contract 0.3)."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db import connection

from astakos.logic.authentication import SCOPED_PREFIX, Identity, TokenScope, with_scope
from astakos.models import ScopedToken
from synnefo import clock, crypto
from synnefo.db import prepared
from synnefo.errors import Forbidden, NotFound, Unauthorized

# Written out: every login of a client runs these, and compiling them takes longer than running them.
_SWEEP = "DELETE FROM astakos_scoped_token WHERE user_id = %s AND expires <= %s RETURNING id"
_INSERT = """INSERT INTO astakos_scoped_token (user_id, digest, audit_id, project, methods,
    application_credential_id, parent_digest, created, expires)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id"""


def _column(value: dt.datetime) -> Any:
    """Return *value* as the database's driver takes it."""
    return connection.ops.adapt_datetimefield_value(value)


def issue(identity: Identity, *, scope: TokenScope, not_after: dt.datetime | None = None) -> Identity:
    """Make a token of *identity* for *scope* and return the identity that it stands for.

    It is good for ``ASTAKOS_V3_TOKEN_DURATION`` hours, *not_after* at the longest, and dies with the user's
    own token, the user's membership in the project and the application credential. The user's expired tokens
    are swept out. Raises ``Unauthorized`` when the project is out of reach.
    """
    narrowed = with_scope(identity, scope)
    if narrowed is None:
        raise Unauthorized("The project does not exist or the user is not a member of it")
    now = clock.now()
    expires = now + dt.timedelta(hours=settings.ASTAKOS_V3_TOKEN_DURATION)
    if not_after is not None:
        expires = min(expires, not_after)
    token = SCOPED_PREFIX + crypto.new_token()
    prepared.fetch_all(_SWEEP, [identity.id, _column(now)])
    values = [
        identity.id,
        crypto.token_digest(token),
        scope.audit_id,
        scope.project,
        json.dumps(scope.methods),
        scope.credential_id,
        identity.parent_digest,
        _column(now),
        _column(expires),
    ]
    prepared.fetch_all(_INSERT, values)
    return replace(narrowed, token=token, token_created=now, token_expires=expires)


def new_audit_id() -> str:
    """Return an id by which logs may name a token without giving it away."""
    return secrets.token_urlsafe(16)


def revoke(*, subject: Identity) -> None:
    """Delete the token that *subject* was read from; nothing else of the user changes.

    Raises ``Forbidden`` for a user's own token, which ends by being renewed.
    """
    if subject.scope is None:
        raise Forbidden("This is the user's own token; renew it on the page about API access instead")
    deleted, _ = ScopedToken.objects.filter(digest=crypto.token_digest(subject.token)).delete()
    if not deleted:
        raise NotFound("The token was revoked meanwhile")
