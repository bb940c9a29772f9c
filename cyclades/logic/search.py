"""Finding a user's own things by a part of a name or address, or by their number (web contract 17, UX-16).

Every function answers in a fixed number of queries and shows what the lists of the API show.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, Subquery

from cyclades.logic import images, server_state
from cyclades.logic.network_visibility import visible_floating_ips, visible_networks
from cyclades.logic.visibility import visible_servers, visible_volumes
from cyclades.models import IPAddress, PublicKeyPair, Server, Subnet
from synnefo.credentials import Credentials

#: ``42``, and what Ganeti and operators call it: ``vm42``, ``vm-42``, ``snf-42``, ``snf-vol-7``.
_NUMBER = re.compile(r"(?:vm-?|[a-z]{1,20}-(?:vol-|net-)?)?([0-9]{1,18})", re.I)
_ADDRESS = re.compile(r"[0-9a-f:.]+", re.I)


@dataclass(frozen=True, slots=True)
class Match:
    """Something found; ``facts`` tell it from others of its name, ``state`` is the API's word."""

    id: str
    name: str
    facts: tuple[str, ...] = ()
    state: str = ""


def servers(credentials: Credentials, *, text: str, limit: int) -> list[Match]:
    """Return the user's servers by name, number or address, with their addresses; two queries."""
    wanted = Q(name__icontains=text) | _numbered(text)
    if _ADDRESS.fullmatch(text):
        having = IPAddress.objects.filter(nic__machine=OuterRef("pk"), deleted=False, address__contains=text)
        wanted |= Q(Exists(having))
    rows = visible_servers(credentials).filter(wanted, deleted=False, helper=False).order_by("name", "pk")
    found = list(rows[:limit])
    addresses = _addresses(found)
    return [
        Match(str(row.pk), row.name, tuple(addresses[row.pk]), server_state.api_status(row)) for row in found
    ]


def _addresses(found: Sequence[Server]) -> dict[int, list[str]]:
    addresses: dict[int, list[str]] = defaultdict(list)
    if found:
        rows = IPAddress.objects.filter(nic__machine__in=[row.pk for row in found], deleted=False)
        for server_id, address in rows.order_by("pk").values_list("nic__machine_id", "address"):
            addresses[server_id].append(address)
    return addresses


def networks(credentials: Credentials, *, text: str, limit: int) -> list[Match]:
    """Return the networks that the user sees by name, number or range; one query."""
    subnets = Subnet.objects.filter(network=OuterRef("pk"), deleted=False)
    wanted = Q(name__icontains=text) | _numbered(text) | Q(Exists(subnets.filter(cidr__contains=text)))
    rows = visible_networks(credentials).filter(wanted, deleted=False).order_by("name", "pk")
    rows = rows.annotate(range=Subquery(subnets.order_by("ipversion").values("cidr")[:1]))
    return [
        Match(str(row.pk), row.name, (row.range,) if row.range else (), row.state) for row in rows[:limit]
    ]


def floating_ips(credentials: Credentials, *, text: str, limit: int) -> list[Match]:
    """Return the user's public addresses by a part of the address, with their server's name; one query."""
    if not _ADDRESS.fullmatch(text):
        return []
    rows = visible_floating_ips(credentials).filter(address__contains=text, deleted=False)
    servers = visible_servers(credentials).filter(ports__ips=OuterRef("pk"))
    found = rows.annotate(server=Subquery(servers.values("name")[:1])).order_by("address", "pk")
    return [Match(str(row.pk), row.address, (row.server,) if row.server else ()) for row in found[:limit]]


def volumes(credentials: Credentials, *, text: str, limit: int) -> list[Match]:
    """Return the user's volumes by name or number, with size and server; one query."""
    wanted = Q(name__icontains=text) | _numbered(text)
    servers = visible_servers(credentials).filter(pk=OuterRef("machine"))
    rows = visible_volumes(credentials).filter(wanted, deleted=False)
    found = rows.annotate(server=Subquery(servers.values("name")[:1])).order_by("name", "pk")
    return [
        Match(
            str(row.pk),
            row.name or f"#{row.pk}",
            tuple(fact for fact in (f"{row.size} GiB", row.server) if fact),
            row.status,
        )
        for row in found[:limit]
    ]


def find_images(credentials: Credentials, *, text: str, limit: int) -> list[Match]:
    """Return the images and snapshots that the user's lists show, by name or id."""
    wanted = text.casefold()
    return [
        Match(image.id, image.name, (image.properties.get("OS", ""),), image.status)
        for image in images.list_images(credentials, images.ImageFilter(sort_key="name", descending=False))
        if wanted in image.name.casefold() or wanted == image.id
    ][:limit]


def keys(credentials: Credentials, *, text: str, limit: int) -> list[Match]:
    """Return the user's SSH keys by name; one query."""
    rows = PublicKeyPair.objects.filter(user=credentials.user_id, name__icontains=text).order_by("name")
    return [Match(str(row.pk), row.name, (row.fingerprint,)) for row in rows[:limit]]


def _numbered(text: str) -> Q:
    found = _NUMBER.fullmatch(text)
    return Q(pk=int(found[1])) if found else Q(pk__in=())
