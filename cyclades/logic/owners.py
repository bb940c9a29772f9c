"""Whom administrators may give things to."""

from __future__ import annotations

from astakos import public as astakos
from synnefo.errors import BadRequest


def require_user(user_id: str) -> None:
    """Raise ``BadRequest`` unless there is a user with this uuid."""
    if user_id not in astakos.user_catalog(uuids=[user_id]).emails_by_uuid:
        raise BadRequest(f"There is no user with the uuid {user_id}")
