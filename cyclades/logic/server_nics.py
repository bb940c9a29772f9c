"""Bringing a server's ports in line with the NICs that Ganeti reports (Ganeti contract 9.4.1)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Model, Prefetch, prefetch_related_objects

from cyclades.ganeti import firewall, jobs, names
from cyclades.logic import addresses, ports
from cyclades.models import IPAddress, Network, Port, PortState, Server, Subnet, Task
from synnefo import clock
from synnefo.messages import InstanceNic

log = logging.getLogger(__name__)

#: A port this young may belong to a job that Ganeti has not begun.
BUILDING_TIME = timedelta(seconds=60)
#: Where rows keep what was loaded for them with their batch.
_PORTS, _IPS, _SUBNETS = "loaded_ports", "loaded_ips", "loaded_subnets"


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
        unseen = Network.objects.filter(pk__in=ids).prefetch_related(Prefetch("subnets", to_attr=_SUBNETS))
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
    ipv6 = next((s for s in _subnets_of(network) if s.ipversion == 6 and not s.deleted), None)
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


def synchronise(
    server: Server, nics: Sequence[InstanceNic], *, task: str = "", connected: bool = False
) -> None:
    """Make the ports of the locked *server* what Ganeti has; ports still being made are left alone.

    *task*: what the server was waiting for when the list was made. *connected*: the job that was to add a
    port has ended, so what is missing now will not come. A NIC that no port stands for is an administrator's
    business and only logged.
    """
    known = {port.pk: port for port in ports_of(server)}
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
    stale = [port for pk, port in known.items() if pk not in seen and (connected or _is_stale(port, task))]
    if stale:
        _drop_firewalls(server, stale)
        ports.delete_port_rows(stale, f"removed from server {server.pk} in Ganeti")
        vars(server).pop(_PORTS, None)


def _drop_firewalls(server: Server, gone: Iterable[Port]) -> None:
    """Promise the removal of the tags that were the firewall profiles of NICs that are *gone*.

    Not before: a removal that fails must not open the NIC.
    """
    tags = [tag for port in gone if (tag := firewall.tag_of(port.firewall_profile, port.pk)) is not None]
    for tag in tags if server.backend_id is not None else ():
        jobs.intend(server=server, operation=jobs.FIREWALL, payload=firewall.cleanup_payload(tag))


def ports_prefetch() -> Prefetch:
    """Return how to load, for many servers at once, the ports with all that ``synchronise`` looks at.

    Into lists: related managers would make a query set for every server, port and network.
    """
    ports = Port.objects.select_related("network").prefetch_related(
        Prefetch("ips", to_attr=_IPS), Prefetch("network__subnets", to_attr=_SUBNETS)
    )
    return Prefetch("ports", ports, to_attr=_PORTS)


def ports_of(server: Server) -> list[Port]:
    """Return the server's ports, as loaded with its batch if they were."""
    return _loaded(server, _PORTS, ports_prefetch())


def ips_of(port: Port) -> list[IPAddress]:
    """Return the port's addresses, as loaded with its batch if they were."""
    return _loaded(port, _IPS, Prefetch("ips", to_attr=_IPS))


def _subnets_of(network: Network) -> list[Subnet]:
    return _loaded(network, _SUBNETS, Prefetch("subnets", to_attr=_SUBNETS))


def _loaded(row: Model, attribute: str, how: Prefetch) -> Any:
    if attribute not in vars(row):
        prefetch_related_objects([row], how)
    return getattr(row, attribute)


def _is_stale(port: Port, task: str) -> bool:
    """Tell whether a port that Ganeti does not report is gone rather than still to come.

    The event's own list is newer than any job that ended before it, so Ganeti need not be asked again.
    """
    if port.state == PortState.ACTIVE:
        return True
    if port.created > clock.now() - BUILDING_TIME:
        return False
    return task not in (Task.CONNECT, Task.BUILD)


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
        port.network = Network.objects.get(pk=nic.network_id)
        port.public = port.network.public
        changed.append("public")
    if changed:
        fields = [name.removesuffix("_id") for name in changed]
        port.save(update_fields=[*fields, "updated"])
    ips = [ip for ip in ips_of(port) if not ip.deleted]
    current = {ip.ipversion: ip.address for ip in ips}
    moved = any(ip.network_id != nic.network_id for ip in ips)
    if moved or (current.get(4), current.get(6)) != (nic.ipv4, nic.ipv6):
        addresses.set_port_addresses(port, nic.ipv4, nic.ipv6)
        vars(port).pop(_IPS, None)
