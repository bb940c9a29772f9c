"""The audit trail."""

from __future__ import annotations

from typing import Any

from synnefo import clock, request_id
from synnefo.credentials import Credentials


def record(credentials: Credentials, action: str, target: str, **details: Any) -> None:
    """Write an audit row in the caller's transaction.

    ``action`` is ``<noun>.<verb>`` such as ``server.create``; ``target`` names the object, such as
    ``server:42``; ``details`` are JSON values and must hold no secret.
    """
    from synnefo.db import rows
    from synnefo.models import AuditRecord

    written = AuditRecord(
        created=clock.now(),
        actor="administrator" if credentials.is_admin and not credentials.user_id else credentials.user_id,
        action=action,
        target=target,
        request_id=credentials.request_id or request_id.current(),
        details=details,
    )
    rows.insert(written)
