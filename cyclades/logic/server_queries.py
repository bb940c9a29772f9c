"""What a detail view of servers shows, in a fixed number of queries (compute contract 3)."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import F, FilteredRelation, OuterRef, Q, QuerySet, Subquery, Value

from cyclades.logic.server_tags import USER_PREFIX
from cyclades.models import (
    Port,
    PortState,
    Server,
    ServerDiagnostic,
    ServerMetadata,
    ServerState,
    ServerTag,
    TagStatus,
    Volume,
)

MAX_PAGE = 1000
_ERROR = "ERROR"


@dataclass(frozen=True)
class Address:
    """An address of a NIC."""

    version: int
    address: str
    floating: bool


@dataclass(frozen=True)
class Nic:
    """A port of a server that Ganeti confirmed."""

    id: int
    network_id: int
    mac: str
    public: bool
    firewall_profile: str | None
    addresses: list[Address] = field(default_factory=list)


@dataclass(frozen=True)
class ServerDetail:
    """A server with what belongs to it; ``failure`` is the last message that told of an error."""

    server: Server
    metadata: dict[str, str]
    tags: list[str]
    volumes: list[int]
    nics: list[Nic]
    diagnostic: ServerDiagnostic | None
    failure: ServerDiagnostic | None = None


def details(servers: Sequence[Server]) -> list[ServerDetail]:
    """Return *servers*, in their order, with everything a detail view shows, in four queries."""
    ids = [server.pk for server in servers]
    if not ids:
        return []
    metadata, tags = _metadata_and_tags(ids)
    volumes = _volumes(ids)
    nics = nics_of(ids)
    diagnostics, failures = _latest_diagnostics(servers)
    return [
        ServerDetail(
            server=server,
            metadata=metadata[server.pk],
            tags=tags[server.pk],
            volumes=volumes[server.pk],
            nics=nics[server.pk],
            diagnostic=diagnostics.get(server.pk),
            failure=failures.get(server.pk),
        )
        for server in servers
    ]


def detail(server: Server) -> ServerDetail:
    """Return one server with everything a detail view shows."""
    return details([server])[0]


def _metadata_and_tags(ids: Sequence[int]) -> tuple[dict[int, dict[str, str]], dict[int, list[str]]]:
    """Both are pairs of texts, so that one query brings them together."""
    items = ServerMetadata.objects.filter(server__in=ids).order_by()
    active = ServerTag.objects.filter(
        server__in=ids, status=TagStatus.ACTIVE, tag__startswith=USER_PREFIX
    ).order_by()
    rows = items.values_list("server_id", "pk", Value("m"), "meta_key", "meta_value").union(
        active.values_list("server_id", "pk", Value("t"), "tag", Value("")), all=True
    )
    metadata: dict[int, dict[str, str]] = defaultdict(dict)
    tags: dict[int, list[str]] = defaultdict(list)
    for server_id, _, kind, key, value in sorted(rows, key=lambda row: row[1]):
        if kind == "m":
            metadata[server_id][key] = value
        else:
            tags[server_id].append(key.removeprefix(USER_PREFIX))
    return metadata, tags


def _volumes(ids: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    rows = Volume.objects.filter(machine__in=ids, deleted=False).order_by("pk")
    for server_id, volume_id in rows.values_list("machine_id", "pk"):
        found[server_id].append(volume_id)
    return found


def nics_of(ids: Sequence[int]) -> dict[int, list[Nic]]:
    """Return the active NICs of servers by id, with their addresses, in one query."""
    rows = (
        Port.objects.filter(machine__in=ids, state=PortState.ACTIVE)
        .annotate(ip=FilteredRelation("ips", condition=Q(ips__deleted=False)))
        .annotate(version=F("ip__ipversion"), address=F("ip__address"), floating=F("ip__floating_ip"))
        .annotate(network_is_public=F("network__public"))
        .order_by("pk", "ip__pk")
        .values_list(
            "machine_id",
            "pk",
            "network_id",
            "mac",
            "network_is_public",
            "firewall_profile",
            "version",
            "address",
            "floating",
        )
    )
    found: dict[int, list[Nic]] = defaultdict(list)
    for server_id, port_id, network_id, mac, public, firewall, version, address, floating in rows:
        nics = found[server_id]
        if not nics or nics[-1].id != port_id:
            nics.append(Nic(port_id, network_id, mac or "", public, firewall))
        if address is not None:
            nics[-1].addresses.append(Address(version, address, floating))
    return found


def _latest_diagnostics(
    servers: Sequence[Server],
) -> tuple[dict[int, ServerDiagnostic], dict[int, ServerDiagnostic]]:
    """Return the last messages, and of failed servers the last that told of an error, in one query."""
    wanted = _newest([server.pk for server in servers])
    failed = [server.pk for server in servers if server.operstate == ServerState.ERROR]
    if failed:
        wanted = wanted.union(_newest(failed, level=_ERROR))
    rows = sorted(ServerDiagnostic.objects.filter(pk__in=wanted).order_by(), key=_age)
    latest = {row.server_id: row for row in rows}
    return latest, {row.server_id: row for row in rows if row.level == _ERROR}


def _newest(ids: Sequence[int], **conditions: str) -> QuerySet[Server, int | None]:
    """Return, as a subquery, the ids of the last messages with *conditions* of the given servers."""
    rows = ServerDiagnostic.objects.filter(server=OuterRef("pk"), **conditions).order_by("-created", "-pk")
    newest = Server.objects.filter(pk__in=ids).order_by().annotate(newest=Subquery(rows.values("pk")[:1]))
    return newest.values_list("newest", flat=True)


def _age(row: ServerDiagnostic) -> tuple[dt.datetime, int]:
    return row.created, row.pk


def diagnostics_of(server: Server) -> list[ServerDiagnostic]:
    """Return all messages about a server's deployment, newest first."""
    return list(server.diagnostics.order_by("-created", "-pk")[:MAX_PAGE])
