"""Keys and values that users keep on servers (compute contract 9.2)."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from cyclades.logic.server_state import Access, require_allowed
from cyclades.logic.servers import get_server, lock_server, touch
from cyclades.models import Server, ServerMetadata
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, NotFound

MAX_KEY = 50
MAX_VALUE = 500


def check_items(items: dict[str, Any]) -> dict[str, str]:
    """Return *items* with numbers as text; raises ``BadRequest`` for other types and for lengths."""
    return {_check_key(key): _check_value(key, value) for key, value in items.items()}


def check_count(count: int) -> None:
    """Raise ``BadRequest`` when a server would have more than ``CYCLADES_VM_MAX_METADATA`` items."""
    limit = settings.CYCLADES_VM_MAX_METADATA
    if count > limit:
        raise BadRequest(f"A server can have at most {limit} metadata items, not {count}")


def _check_key(key: str) -> str:
    if not 1 <= len(key) <= MAX_KEY:
        raise BadRequest(f"A metadata key must have 1 to {MAX_KEY} characters, '{key[:60]}' has {len(key)}")
    return key


def _check_value(key: str, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        value = str(value)
    if not isinstance(value, str) or len(value) > MAX_VALUE:
        raise BadRequest(f"The metadata value of '{key}' must be text of at most {MAX_VALUE} characters")
    return value


def get_metadata(credentials: Credentials, *, server_id: int) -> dict[str, str]:
    """Return all items of a visible server; raises ``NotFound``."""
    return _items(get_server(credentials, server_id=server_id))


def get_item(credentials: Credentials, *, server_id: int, key: str) -> str:
    """Return one value; raises ``NotFound``."""
    server = get_server(credentials, server_id=server_id)
    item = ServerMetadata.objects.filter(server=server, meta_key=key).first()
    if item is None:
        raise NotFound("Metadata key not found.")
    return item.meta_value


@locks.retry_on_deadlock
def set_metadata(
    credentials: Credentials, *, server_id: int, items: dict[str, Any], replace: bool = False
) -> dict[str, str]:
    """Merge *items* into a server's metadata, or *replace* it, and return the result.

    Raises ``NotFound``, ``Forbidden`` (suspended) or ``BadRequest`` (deleted, limits of the result).
    """
    checked = check_items(items)
    with locks.atomic():
        server = lock_server(credentials, server_id=server_id)
        require_allowed(credentials, server, Access.METADATA)
        result = checked if replace else _items(server) | checked
        check_count(len(result))
        if replace:
            server.metadata.exclude(meta_key__in=checked).delete()
        for key, value in checked.items():
            ServerMetadata.objects.update_or_create(
                server=server, meta_key=key, defaults={"meta_value": value}
            )
        touch(server)
        audit.record(credentials, "server.set_metadata", f"server:{server_id}", keys=sorted(checked))
    return result


@locks.retry_on_deadlock
def delete_item(credentials: Credentials, *, server_id: int, key: str) -> None:
    """Delete one item; raises ``NotFound`` and like ``set_metadata``."""
    with locks.atomic():
        server = lock_server(credentials, server_id=server_id)
        require_allowed(credentials, server, Access.METADATA)
        deleted, _ = server.metadata.filter(meta_key=key).delete()
        if not deleted:
            raise NotFound("Metadata key not found.")
        touch(server)
        audit.record(credentials, "server.delete_metadata", f"server:{server_id}", keys=[key])


def _items(server: Server) -> dict[str, str]:
    return dict(server.metadata.order_by("pk").values_list("meta_key", "meta_value"))
