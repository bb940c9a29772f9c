"""Listings of an account's containers (object-storage contract 6.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from pithos.logic import asof, permissions
from pithos.models import Grant, Node, PublicLink, Version
from pithos.paths import encode
from synnefo.credentials import Credentials
from synnefo.errors import Forbidden


@dataclass(frozen=True)
class ContainerEntry:
    """A container in a listing; ``bytes`` its size; for others than the owner only name and time."""

    name: str
    modified: datetime
    count: int | None = None
    bytes: int | None = None
    policy: dict[str, str] | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class ContainerQuery:
    """What to list; the last three are of Swift's dialect."""

    limit: int
    marker: str = ""
    shared: bool = False
    public: bool = False
    until: datetime | None = None
    prefix: str = ""
    end_marker: str = ""
    reverse: bool = False


def list_containers(credentials: Credentials, *, account: str, query: ContainerQuery) -> list[ContainerEntry]:
    """Return one page of an account's containers, by name; raise Forbidden."""
    nodes = Node.objects.filter(
        parent__name=account, parent__parent__isnull=True, parent__isnull=False, **_span(query)
    )
    owner = permissions.is_owner(credentials, account)
    if not owner:
        if query.until is not None or query.public:
            raise Forbidden("Only the owner may list an account's past or its public containers.")
        holders = permissions.holders_of(credentials.user_id)
        nodes = nodes.filter(pk__in=Grant.objects.filter(holder__in=holders).values("node__parent"))
    elif query.shared or query.public:
        wanted = Q(pk__in=[])
        if query.shared:
            wanted |= Q(pk__in=Grant.objects.values("node__parent"))
        if query.public:
            wanted |= Q(pk__in=PublicLink.objects.values("node__parent"))
        nodes = nodes.filter(wanted)
    page = nodes.select_related("policy", "statistics").order_by("-name" if query.reverse else "name")
    if query.until is not None:
        existing = page.filter(
            pk__in=Version.objects.filter(node__parent__name=account, mtime__lt=query.until).values("node")
        )
        return _then(list(existing[: query.limit]), query.until)
    return [_entry(node, owner) for node in page[: query.limit]]


def _span(query: ContainerQuery) -> dict[str, str]:
    after, before = query.marker, query.end_marker
    if query.reverse:
        after, before = before, after
    span = permissions.name_range("name", query.prefix) | {"name__gt": after}
    if before:
        span["name__lt"] = min(before, span.get("name__lt", before), key=encode)
    return span


def _entry(node: Node, owner: bool) -> ContainerEntry:
    statistics = node.statistics
    if not owner:
        return ContainerEntry(node.name, statistics.modified)
    return ContainerEntry(
        node.name,
        statistics.modified,
        statistics.current_count,
        statistics.current_bytes,
        policy_of(node),
    )


def policy_of(node: Node) -> dict[str, str]:
    """Return a container's policies as clients see them."""
    policy = node.policy
    return {"quota": str(policy.quota), "versioning": policy.versioning, "project": policy.project}


def _then(nodes: list[Node], until: datetime) -> list[ContainerEntry]:
    sums = asof.sums(nodes, until)
    return [
        ContainerEntry(
            node.name,
            node.statistics.modified,
            sums[node.pk].count,
            sums[node.pk].bytes,
            policy_of(node),
            sums[node.pk].changed,
        )
        for node in nodes
    ]
