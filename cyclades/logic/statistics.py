"""Numbers about clusters, servers, networks and addresses (compute contract 18.3, Ganeti contract 12.4).

Memory and disk of the detailed numbers are bytes, of the public ones MiB and GiB.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, Q, QuerySet, Sum

from cyclades.ganeti import clients, side_by_side
from cyclades.logic import images
from cyclades.logic.address_pools import AddressPool
from cyclades.logic.server_state import STATUS
from cyclades.models import Backend, IPPool, Network, NetworkState, Server, ServerState
from synnefo import clock, users
from synnefo.credentials import Credentials
from synnefo.errors import ServiceUnavailable

SERVER_STATES = ("BUILD", "ACTIVE", "STOPPED", "ERROR", "RESIZE", "DELETED")
#: The parts of the detailed numbers.
SECTIONS = ("clusters", "servers", "ip_pools", "networks", "images")
_OF_CLUSTERS = ("clusters", "servers", "images")
_STATES_KEY, _SIMPLE_KEY = "cyclades-public-statistics-states", "cyclades-public-statistics"
#: Seconds that numbers for everybody are kept, lest strangers make the database count all the time.
_KEPT = 300
_GROUPS: dict[str, str] = {
    ServerState.STARTED: "started",
    ServerState.BUILD: "started",
    ServerState.STOPPED: "stopped",
    ServerState.ERROR: "error",
}


def public_statistics() -> dict[str, Any]:
    """Return how many servers and networks are in each state, and the servers' sums of cpu, ram and disk.

    They are kept a while.
    """
    known: dict[str, Any] | None = cache.get(_STATES_KEY)
    if known is None:
        known = _count_states()
        cache.set(_STATES_KEY, known, timeout=_KEPT)
    return known


def _count_states() -> dict[str, Any]:
    servers = {state: {"count": 0, "cpu": 0, "ram": 0, "disk": 0} for state in SERVER_STATES}
    rows = Server.objects.values_list("deleted", "operstate").annotate(
        Count("pk"), Sum("flavor__cpu"), Sum("flavor__ram"), Sum("flavor__disk")
    )
    for deleted, operstate, *sums in rows.order_by():
        state = "DELETED" if deleted else STATUS.get(operstate, operstate)
        found = servers.setdefault(state, {"count": 0, "cpu": 0, "ram": 0, "disk": 0})
        for name, value in zip(found, sums, strict=True):
            found[name] += value or 0
    networks = {str(state): {"count": 0} for state in NetworkState}
    for deleted, stored, count in (
        Network.objects.values_list("deleted", "state").annotate(Count("pk")).order_by()
    ):
        networks[NetworkState.DELETED if deleted else stored]["count"] += count
    return {"servers": servers, "networks": networks}


def simple_statistics() -> dict[str, int]:
    """Return how many servers and networks there ever were, and how many servers there are; kept a while."""
    known: dict[str, int] | None = cache.get(_SIMPLE_KEY)
    if known is not None:
        return known
    made = Server.objects.exclude(operstate=ServerState.ERROR)
    found = {
        "spawned_servers": made.count(),
        "active_servers": made.filter(deleted=False).exclude(operstate=ServerState.DESTROYED).count(),
        "spawned_networks": Network.objects.exclude(
            state__in=(NetworkState.ERROR, NetworkState.PENDING)
        ).count(),
    }
    cache.set(_SIMPLE_KEY, found, timeout=_KEPT)
    return found


def detailed_statistics(
    *, backend: Backend | None = None, sections: Collection[str] = SECTIONS, with_nodes: bool = True
) -> dict[str, Any]:
    """Return the named *sections*; with *backend* only about it, without networks and addresses.

    *with_nodes* asks each cluster about its nodes; one that does not answer has none.
    """
    backends = [backend] if backend is not None else list(Backend.objects.order_by("pk"))
    servers = Server.objects.filter(deleted=False)
    if backend is not None:
        servers = servers.filter(backend=backend)
        sections = [name for name in sections if name in _OF_CLUSTERS]
    makers: dict[str, Callable[[], Any]] = {
        "clusters": lambda: dict(
            zip(
                [b.clustername for b in backends],
                side_by_side.on_each(backends, partial(_cluster, with_nodes=with_nodes)),
                strict=True,
            )
        ),
        "servers": lambda: _servers(servers),
        "ip_pools": _ip_pools,
        "networks": _networks,
        "images": lambda: _images(servers),
    }
    made = {name: makers[name]() for name in SECTIONS if name in sections}
    return {"datetime": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"), **made}


def _cluster(backend: Backend, *, with_nodes: bool) -> dict[str, Any]:
    servers = Server.objects.filter(backend=backend, deleted=False)
    sums = servers.aggregate(
        count=Count("pk"), cpu=Sum("flavor__cpu"), ram=Sum("flavor__ram"), disk=Sum("flavor__disk")
    )
    return {
        "drained": str(backend.drained),
        "offline": str(backend.offline),
        "hypervisor": backend.hypervisor,
        "disk_templates": backend.disk_templates,
        "virtual_servers": sums["count"],
        "virtual_cpu": sums["cpu"] or 0,
        "virtual_ram": (sums["ram"] or 0) << 20,
        "virtual_disk": (sums["disk"] or 0) << 30,
        "nodes": _nodes(backend) if with_nodes and not backend.offline else {},
    }


def _nodes(backend: Backend) -> dict[str, Any]:
    try:
        with clients.rapi_for(backend) as rapi:
            nodes = rapi.GetNodes(bulk=True)
    except (ServiceUnavailable, clients.GanetiApiError):
        return {}
    return {str(node.get("name")): _node(node) for node in nodes}


def _node(node: Mapping[str, Any]) -> dict[str, Any]:
    def size(total: str, free: str) -> dict[str, int]:
        return {name: int(node.get(key) or 0) << 20 for name, key in (("total", total), ("free", free))}

    return {
        "drained": bool(node.get("drained")),
        "offline": bool(node.get("offline")),
        "vm_capable": bool(node.get("vm_capable")),
        "instances": int(node.get("pinst_cnt") or 0),
        "cpu": int(node.get("ctotal") or 0),
        "ram": size("mtotal", "mfree"),
        "disk": size("dtotal", "dfree"),
    }


def _servers(servers: QuerySet[Server]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: {"count": 0, "cpu": defaultdict(int), "ram": defaultdict(int), "disk": {}}
        for name in ("started", "stopped", "error")
    }
    rows = servers.values_list(
        "operstate", "flavor__cpu", "flavor__ram", "flavor__disk", "flavor__volume_type__disk_template"
    ).annotate(Count("pk"))
    for operstate, cpu, ram, disk, template, count in rows.order_by():
        group = found.get(_GROUPS.get(operstate, ""))
        if group is None:
            continue
        group["count"] += count
        group["cpu"][str(cpu)] += count
        group["ram"][str(ram << 20)] += count
        group["disk"].setdefault(template, defaultdict(int))[str(disk << 30)] += count
    return found


def _networks() -> dict[str, Any]:
    found: dict[str, dict[str, int]] = defaultdict(lambda: {"active": 0, "error": 0})
    rows = Network.objects.filter(deleted=False, state__in=(NetworkState.ACTIVE, NetworkState.ERROR))
    for flavor, state, count in rows.values_list("flavor", "state").annotate(Count("pk")).order_by():
        found[flavor]["active" if state == NetworkState.ACTIVE else "error"] += count
    return dict(found)


def _ip_pools() -> dict[str, Any]:
    found = {name: {"count": 0, "free": 0, "total": 0} for name in ("active", "drained")}
    public = Q(subnet__network__public=True, subnet__network__deleted=False, subnet__deleted=False)
    for row in IPPool.objects.filter(public).select_related("subnet__network"):
        bits = AddressPool(row).bits
        group = found["drained" if row.subnet.network.drained else "active"]
        group["count"] += 1
        group["free"] += bits.count_free()
        group["total"] += bits.size
    return found


def _images(servers: QuerySet[Server]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    rows = servers.values_list("imageid", "rescue_properties__os_family", "rescue_properties__os")
    counted: list[tuple[str, str | None, str | None, int]] = list(rows.annotate(Count("pk")).order_by())
    # All at once: there may be a snapshot behind every server.
    known = images.list_images(Credentials.administrator()) if counted else []
    owners = {image.id: image.owner for image in known}
    system_owner = users.uuid_of(settings.SYSTEM_IMAGES_OWNER)
    for image_id, family, system, count in counted:
        owner = owners.get(image_id)
        whose = "unknown" if owner is None else "system" if owner == system_owner else "user"
        found[f"{whose}:{family or 'unknown'}:{system or 'unknown'}"] += count
    return dict(found)
