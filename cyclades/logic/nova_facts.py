"""What only Nova's rendering of servers shows, for a whole page at once (compute contract 22.1)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cyclades.models import JobIntent, Network, Server, Task, Volume


@dataclass(frozen=True)
class Attachment:
    """How a volume is attached to its server."""

    index: int
    delete_on_termination: bool


def network_names(ids: Collection[int]) -> dict[int, str]:
    """Return the names of networks by id, in one query; ids come from what the caller may see."""
    return dict(Network.objects.filter(pk__in=ids).values_list("pk", "name")) if ids else {}


def hard_reboots(server_ids: Collection[int]) -> set[int]:
    """Return which of these servers were last asked to reboot without waiting for the guest."""
    if not server_ids:
        return set()
    rows = JobIntent.objects.filter(server__in=server_ids, operation=Task.REBOOT).order_by("pk")
    last = dict(rows.values_list("server_id", "payload"))
    return {pk for pk, payload in last.items() if payload.get("body", {}).get("shutdown_timeout") == 0}


def resizes(server_ids: Collection[int]) -> dict[int, str]:
    """Return the Nova status of those of these servers whose resize is not confirmed, in one query."""
    rows = Server.objects.filter(pk__in=server_ids, deleted=False, resize__isnull=False)
    return {
        pk: "VERIFY_RESIZE" if settled else ("REVERT_RESIZE" if reverting else "RESIZE")
        for pk, settled, reverting in rows.values_list("pk", "resize__settled", "resize__reverting")
    }


def attachments(volume_ids: Collection[int]) -> dict[int, Attachment]:
    """Return how volumes are attached, by id, in one query."""
    rows = Volume.objects.filter(pk__in=volume_ids).values_list("pk", "index", "delete_on_termination")
    return {pk: Attachment(index or 0, delete) for pk, index, delete in rows}
