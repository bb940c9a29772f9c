"""Reading a cluster's free resources and disk templates (Ganeti contract 1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cyclades.ganeti import clients
from cyclades.models import Backend
from synnefo import clock

_RESOURCES = ("mfree", "mtotal", "dfree", "dtotal", "pinst_cnt", "ctotal")


def refresh_all(backend: Backend) -> None:
    """Read disk templates and free resources of *backend*; errors as ``refresh_resources``."""
    refresh_templates(backend)
    refresh_resources(backend)


def refresh_resources(backend: Backend) -> None:
    """Read the free resources of *backend* from Ganeti and store them.

    No lock is taken: one UPDATE writes a consistent set. Raises ``ServiceUnavailable`` or
    ``GanetiApiError``.
    """
    with clients.rapi_for(backend) as rapi:
        nodes = rapi.GetNodes(bulk=True)
    values: dict[str, Any] = sum_resources(nodes) | {"updated": clock.now()}
    _store(backend, values)


def refresh_templates(backend: Backend) -> None:
    """Read the disk templates that *backend* offers and store them; errors as ``refresh_resources``."""
    with clients.rapi_for(backend) as rapi:
        info = rapi.GetInfo()
    _store(backend, {"disk_templates": usable_templates(info)})


def _store(backend: Backend, values: Mapping[str, Any]) -> None:
    Backend.objects.filter(pk=backend.pk).update(**values)
    for name, value in values.items():
        setattr(backend, name, value)


def sum_resources(nodes: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the sums, in MiB and counts, over the nodes that may run servers."""
    totals = dict.fromkeys(_RESOURCES, 0)
    for node in nodes:
        usable = node.get("vm_capable") and not node.get("drained") and not node.get("offline")
        if not usable or not node.get("cnodes"):
            continue
        for name in _RESOURCES:
            totals[name] += max(0, int(node.get(name) or 0))
    return totals


def usable_templates(info: Mapping[str, Any]) -> list[str]:
    """Return the templates both enabled and allowed by the cluster's policy, in the former's order."""
    allowed: Sequence[str] = (info.get("ipolicy") or {}).get("disk-templates") or []
    enabled: Sequence[str] | None = info.get("enabled_disk_templates")
    if enabled is None:
        return list(allowed)
    return [template for template in enabled if template in allowed]
