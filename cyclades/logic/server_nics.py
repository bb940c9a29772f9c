"""Bringing a server's ports in line with the NICs that Ganeti reports (Ganeti contract 9.4.1)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Prefetch, QuerySet, prefetch_related_objects

from cyclades.ganeti import names
from cyclades.logic import addresses, ports
from cyclades.models import Network, Port, PortState, Server, Task
from synnefo import clock
from synnefo.messages import InstanceNic

log = logging.getLogger(__name__)

#: A port this young may belong to a job that Ganeti has not begun.
BUILDING_TIME = timedelta(seconds=60)


@dataclass(frozen=True)
class ParsedNic:
    """A NIC of Ganeti in our terms; ``ipv6`` is derived from the MAC, Ganeti never knows it."""

    port_id: int | None
    name: str
    index: int
    network_id: int
    mac: str | None
    ipv4: str | None
    ipv6: str | None
    firewall_profile: str | None


def parse(nics: Sequence[InstanceNic], ports: Iterable[Port] = ()) -> list[ParsedNic] | None:
    """Return *nics* in our terms; ``None`` when one is in a network we don't know.

    *ports* with their networks and subnets loaded save looking those up.
    """
    networks = {port.network_id: port.network for port in ports}
    ids = {names.network_id_of(nic.network) or 0 for nic in nics} - networks.keys()
    if ids:
        unseen = Network.objects.filter(pk__in=ids).prefetch_related("subnets")
        networks |= {network.pk: network for network in unseen}
    parsed = []
    for index, nic in enumerate(nics):
        network = networks.get(names.network_id_of(nic.network) or 0)
        if network is None:
            log.warning("NIC %s is in the network %r, which is not ours", nic.name or index, nic.network)
            return None
        parsed.append(_parse_one(nic, index, network))
    return parsed


def _parse_one(nic: InstanceNic, index: int, network: Network) -> ParsedNic:
    ipv6 = next((s for s in network.subnets.all() if s.ipversion == 6 and not s.deleted), None)
    return ParsedNic(
        port_id=names.port_id_of(nic.name),
        name=nic.name or f"unknown-nic-{index}",
        index=index,
        network_id=network.pk,
        mac=nic.mac,
        ipv4=nic.ip,
        ipv6=addresses.eui64(nic.mac, ipv6.cidr) if ipv6 is not None and nic.mac else None,
        firewall_profile=names.firewall_profile(nic.firewall, public=network.public),
    )


def synchronise(server: Server, nics: Sequence[InstanceNic], *, connected: bool = False) -> None:
    """Make the ports of the locked *server* what Ganeti has; ports still being made are left alone.

    *connected*: the job that was to add a port has ended, so what is missing now will not come. A NIC
    that no port stands for is an administrator's business and only logged.
    """
    known = {port.pk: port for port in _ports_of(server)}
    parsed = parse(nics, known.values())
    if parsed is None:
        return
    seen = set()
    for nic in parsed:
        port = known.get(nic.port_id or 0)
        if port is None:
            log.error("server %d: NIC %s of Ganeti is no port of ours", server.pk, nic.name)
            continue
        seen.add(port.pk)
        _update(port, nic)
    stale = [port for pk, port in known.items() if pk not in seen and (connected or _is_stale(server, port))]
    if stale:
        ports.delete_port_rows(stale, f"removed from server {server.pk} in Ganeti")
        forget(server, "ports")


def ports_with_everything() -> QuerySet[Port]:
    """Return ports with all that ``synchronise`` looks at."""
    return Port.objects.select_related("network").prefetch_related("ips", "network__subnets")


def _ports_of(server: Server) -> list[Port]:
    """Return the server's ports, as loaded with its batch if they were."""
    if "ports" not in getattr(server, "_prefetched_objects_cache", {}):
        prefetch_related_objects([server], Prefetch("ports", ports_with_everything()))
    return list(server.ports.all())


def forget(row: Server | Port, relation: str) -> None:
    """Drop what was loaded of *relation*, because it has changed."""
    getattr(row, "_prefetched_objects_cache", {}).pop(relation, None)


def _is_stale(server: Server, port: Port) -> bool:
    """Tell whether a port that Ganeti does not report is gone rather than still to come.

    The event's own list is newer than any job that ended before it, so Ganeti need not be asked again.
    """
    if port.state == PortState.ACTIVE:
        return True
    if port.created > clock.now() - BUILDING_TIME:
        return False
    return server.task not in (Task.CONNECT, Task.BUILD)


def _update(port: Port, nic: ParsedNic) -> None:
    wanted = {
        "state": PortState.ACTIVE,
        "index": nic.index,
        "network_id": nic.network_id,
        "mac": nic.mac,
        "firewall_profile": nic.firewall_profile,
    }
    changed = [name for name, value in wanted.items() if getattr(port, name) != value]
    for name in changed:
        setattr(port, name, wanted[name])
    if "network_id" in changed:
        port.network = Network.objects.prefetch_related("subnets").get(pk=nic.network_id)
    if changed:
        fields = [name.removesuffix("_id") for name in changed]
        port.save(update_fields=[*fields, "updated"])
    current = {ip.ipversion: ip.address for ip in port.ips.all() if not ip.deleted}
    if (current.get(4), current.get(6)) != (nic.ipv4, nic.ipv6):
        addresses.set_port_addresses(port, nic.ipv4, nic.ipv6)
        forget(port, "ips")
