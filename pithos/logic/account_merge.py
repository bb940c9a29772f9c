"""Merging one account into another, by an administrator (object-storage contract 20.4).

Nothing is lost in either account: what the target has already gets another version on top, and the source
keeps its objects. Given again after an interruption it goes on: what is equal already is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from django.db.models import Count, Sum

from pithos.logic import metadata, possession, quota, statistics, versions
from pithos.logic.account_removal import require_account
from pithos.logic.deletes import current_in
from pithos.logic.nodes import create_container, ensure_account, find_container, later_than, lock_containers
from pithos.logic.statistics import Delta
from pithos.models import (
    AccountBlock,
    Attribute,
    Cluster,
    ContainerPolicy,
    Grant,
    GroupMember,
    Node,
    PublicLink,
    Version,
)
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, retry_on_deadlock
from synnefo.errors import BadRequest, NotFound

_BATCH = 500


@dataclass(slots=True)
class Merged:
    """How many objects were copied, and how many superseded versions went along."""

    objects: int = 0
    versions: int = 0


def merge_accounts(credentials: Credentials, *, source: str, target: str) -> Merged:
    """Copy every object of ``source`` into the same container of ``target``; move history and groups.

    One transaction for each container. Raises NotFound for a source without an account, OverLimit if the
    target's project has no room.
    """
    if source == target:
        raise BadRequest("An account cannot be merged with itself.")
    origin, goal = require_account(source), ensure_account(target)
    merged = Merged()
    for container in list(Node.objects.filter(parent=origin).order_by("name").values_list("name", flat=True)):
        found = _merge_container(credentials, source, target, container)
        merged.objects += found.objects
        merged.versions += found.versions
    with atomic():
        _move_groups(source, target)
        _share_blocks(origin, goal)
        audit.record(credentials, "account.merge", f"account:{target}"[:255], source=source)
    return merged


@retry_on_deadlock
def _merge_container(credentials: Credentials, source: str, target: str, name: str) -> Merged:
    with atomic():
        if find_container(target, name) is None:
            _create_like(source, target, name)
        places = lock_containers((source, name), (target, name))
        origin, goal = places[source, name], places[target, name]
        delta, charge, copied = Delta(), 0, 0
        for batch in _batches(origin):
            change, bytes_added, count = _copy(goal, batch)
            delta, charge, copied = delta + change, charge + bytes_added, copied + count
        delta += _copy_deletion_marks(origin, goal)
        costs = _cost(origin), _cost(goal)
        moved = _move_history(origin, goal)
        _carry_grants(origin, goal)
        now = later_than(None)
        statistics.apply(goal, delta + moved, now)
        statistics.apply(
            origin, Delta(history_count=-moved.history_count, history_bytes=-moved.history_bytes), now
        )
        freed, added = _cost(origin) - costs[0], _cost(goal) - costs[1]
        path = f"{target}/{name}"
        project = goal.policy.project
        quota.charge(credentials, holder=target, project=project, quantity=charge + added, name=path)
        # An account that is no user's (any more) has no holding to give back to.
        with suppress(NotFound):
            quota.charge(credentials, holder=source, project=origin.policy.project, quantity=freed, name=path)
        audit.record(credentials, "container.merge", f"container:{goal.pk}", source=origin.pk, objects=copied)
    return Merged(copied, moved.history_count)


def _cost(container: Node) -> int:
    return versions.cost(Version.objects.filter(node__parent=container))


def _create_like(source: str, target: str, name: str) -> None:
    """Make the target's container with the source's policies, charged to the target's own project."""
    model, parent = find_container(source, name), ensure_account(target)
    node = create_container(parent, name, muser=target)
    if node is not None and model is not None:
        ContainerPolicy.objects.filter(pk=node.pk).update(
            quota=model.policy.quota, versioning=model.policy.versioning
        )
        statistics.touch(parent, later_than(None))


def _batches(container: Node) -> Iterator[list[Version]]:
    last = ""
    while batch := list(current_in(container).filter(node__name__gt=last)[:_BATCH]):
        yield batch
        last = batch[-1].node.name


def _copy(goal: Node, batch: list[Version]) -> tuple[Delta, int, int]:
    """Put a batch of objects into the target's container; return sums, bytes to charge and their number."""
    names = [version.node.name for version in batch]
    rows = Version.objects.filter(node__parent=goal, node__name__in=names).exclude(cluster=Cluster.HISTORY)
    latest = {version.node.name: version for version in rows.select_related("node")}
    domains = metadata.of_versions(version.pk for version in batch)
    delta, charge, count = Delta(), 0, 0
    for version in batch:
        previous = latest.get(version.node.name)
        current = previous if previous is not None and previous.cluster == Cluster.CURRENT else None
        if current is not None and _content(current) == _content(version):
            continue
        state = replace(versions.state_of(version), uuid=current.uuid if current else "")
        change = versions.add(
            goal, version.node.name, previous, state, domains.get(version.pk, {}), muser=version.muser
        )
        delta, charge, count = delta + change.delta, charge + change.charge, count + 1
    return delta, charge, count


def _content(version: Version) -> tuple[str | None, int, str, str | None]:
    return version.hash, version.size, version.type, version.mapfile


def _copy_deletion_marks(origin: Node, goal: Node) -> Delta:
    """Give the target's container the names that the source's knows only as deleted."""
    known = Node.objects.filter(parent=goal).values("name")
    marks = Version.objects.filter(node__parent=origin, cluster=Cluster.DELETED).exclude(node__name__in=known)
    rows = list(marks.select_related("node"))
    for mark in rows:
        node = Node.objects.create(parent=goal, name=mark.node.name, is_live=False)
        Version.objects.create(
            node=node, cluster=Cluster.DELETED, hash=None, type=mark.type, mtime=mark.mtime,
            muser=mark.muser, uuid=mark.uuid,
        )  # fmt: skip
    return Delta(deleted_count=len(rows))


def _move_history(origin: Node, goal: Node) -> Delta:
    """Hang superseded versions on the target's nodes of the same name; return what the target gains."""
    history = Version.objects.filter(node__parent=origin, cluster=Cluster.HISTORY)
    sums = history.aggregate(count=Count("pk"), size=Sum("size"))
    for pk, name in list(history.order_by().values_list("node", "node__name").distinct()):
        node = Node.objects.only("pk").get(parent=goal, name=name)
        Attribute.objects.filter(node=pk, version__cluster=Cluster.HISTORY).update(node=node, parent=goal)
        Version.objects.filter(node=pk, cluster=Cluster.HISTORY).update(node=node)
    return Delta(history_count=sums["count"], history_bytes=sums["size"] or 0)


def _carry_grants(origin: Node, goal: Node) -> None:
    """Copy grants to names that have none of their own, and move public links, whose addresses stay."""
    grants: dict[str, list[Grant]] = {}
    for grant in Grant.objects.filter(node__parent=origin).select_related("node"):
        grants.setdefault(grant.node.name, []).append(grant)
    links = dict(PublicLink.objects.filter(node__parent=origin).values_list("node__name", "node"))
    names = [*grants, *links]
    for start in range(0, len(names), _BATCH):
        nodes = Node.objects.filter(parent=goal, name__in=names[start : start + _BATCH])
        for node in nodes.prefetch_related("grants"):
            if node.name in grants and not node.grants.all():
                Grant.objects.bulk_create(
                    [Grant(node=node, access=g.access, holder=g.holder) for g in grants[node.name]],
                    ignore_conflicts=True,
                )
            if node.name in links and not PublicLink.objects.filter(node=node).exists():
                PublicLink.objects.filter(node=links[node.name]).update(node=node)


def _move_groups(source: str, target: str) -> None:
    """Make the source's groups the target's, for everybody who shares with them."""
    rows = list(GroupMember.objects.filter(owner=source))
    GroupMember.objects.bulk_create(
        [GroupMember(owner=target, name=row.name, member=row.member) for row in rows], ignore_conflicts=True
    )
    for name in sorted({row.name for row in rows}):
        old, new = f"{source}:{name}".lower(), f"{target}:{name}".lower()
        grants = list(Grant.objects.filter(holder=old))
        Grant.objects.bulk_create(
            [Grant(node_id=grant.node_id, access=grant.access, holder=new) for grant in grants],
            ignore_conflicts=True,
        )
        Grant.objects.filter(holder=old).delete()
    GroupMember.objects.filter(owner=source).delete()


def _share_blocks(origin: Node, goal: Node) -> None:
    """Note that the target's account has had the source's blocks."""
    last = b""
    while True:
        rows = AccountBlock.objects.filter(account=origin, digest__gt=last).order_by("digest")
        digests = [bytes(digest) for digest in rows.values_list("digest", flat=True)[: _BATCH * 10]]
        if not digests:
            return
        possession.remember(goal, digests)
        last = digests[-1]
