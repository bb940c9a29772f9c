"""Deleting objects and containers, and purging history (object-storage contract 5.5, 10)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum

from pithos.logic import batches, quota, statistics, versions
from pithos.logic.nodes import (
    Address,
    later_than,
    lock_container,
    lock_with_latest,
    parse_serial,
)
from pithos.logic.permissions import require_delete, require_owner
from pithos.logic.statistics import Delta
from pithos.models import Cluster, Grant, Node, PublicLink, Version
from pithos.paths import prefix_end
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import prepared
from synnefo.db.locks import atomic, retry_on_deadlock
from synnefo.errors import Conflict, NotFound

_DELETE_GRANTS = "DELETE FROM pithos_grant WHERE node_id = %s"
_DELETE_LINK = "DELETE FROM pithos_public_link WHERE node_id = %s"


@retry_on_deadlock
def delete_object(credentials: Credentials, *, address: Address, delimiter: str = "") -> None:
    """Delete an object, and with ``delimiter`` every object below it; raise Forbidden, NotFound."""
    require_delete(credentials, address.account, address.container, "" if delimiter else address.name)
    with atomic():
        container, latest = lock_with_latest(address)
        first = []
        if latest is None or latest.cluster != Cluster.CURRENT:
            raise NotFound("The object does not exist.")
        if delimiter:
            prefix = address.name if address.name.endswith(delimiter) else address.name + delimiter
            objects = current_in(container).filter(Q(node__name=address.name) | below_condition(prefix))
            freed = _delete_all(credentials, container, objects)
        else:
            change = delete_chosen(credentials, container, [latest])
            first = [statistics.applying(container, change.delta, later_than(None))]
            freed = change.charge
        quota.charge(
            credentials,
            holder=address.account,
            project=container.policy.project,
            quantity=freed,
            name=address.path,
            first=first,
        )
        audit.record(credentials, "object.delete", f"container:{container.pk}", name=address.name)


@retry_on_deadlock
def delete_objects(
    credentials: Credentials, *, account: str, container: str, names: Sequence[str]
) -> frozenset[str]:
    """Delete those of ``names`` that are there and return which; raise Forbidden, NotFound.

    A fixed number of queries for each batch of them, and one charge.
    """
    require_delete(credentials, account, container)
    with atomic():
        node = lock_container(account, container)
        found: set[str] = set()
        freed = 0
        for batch in batches.batches(list(dict.fromkeys(names))):
            objects = current_in(node).filter(node__name__in=batch)
            found.update(objects.values_list("node__name", flat=True))
            freed += _delete_all(credentials, node, objects)
        _free(credentials, node, freed)
        audit.record(credentials, "object.delete", f"container:{node.pk}", name=container, count=len(found))
    return frozenset(found)


@retry_on_deadlock
def empty_container(credentials: Credentials, *, account: str, container: str) -> None:
    """Delete every object of a container; history and container stay."""
    require_owner(credentials, account)
    with atomic():
        node = lock_container(account, container)
        freed = _delete_all(credentials, node, current_in(node))
        _free(credentials, node, freed)
        audit.record(credentials, "container.empty", f"container:{node.pk}", name=container)


@retry_on_deadlock
def delete_container(credentials: Credentials, *, account: str, container: str) -> None:
    """Remove a container without current objects, with all its history; raise Conflict otherwise."""
    require_owner(credentials, account)
    with atomic():
        node = lock_container(account, container)
        if Node.objects.filter(parent=node, is_live=True).exists():
            raise Conflict("The container is not empty. Delete its objects first.")
        children = Version.objects.filter(node__parent=node)
        charged = versions.cost(children)
        batches.remove(children)
        batches.remove(Node.objects.filter(parent=node))
        _free(credentials, node, -charged)
        account_node = node.parent
        assert account_node is not None
        statistics.touch(account_node, later_than(None))
        audit.record(credentials, "container.delete", f"container:{node.pk}", name=container)
        node.delete()


@retry_on_deadlock
def purge_object(credentials: Credentials, *, address: Address, until: datetime) -> None:
    """Remove an object's versions up to ``until``, the current one too if it is that old (contract 10)."""
    require_owner(credentials, address.account)
    with atomic():
        container = lock_container(address.account, address.container)
        node = Node.objects.filter(parent=container, name=address.name).first()
        if node is None:
            raise NotFound("The object does not exist.")
        old = Version.objects.filter(node=node, mtime__lte=until)
        freed = _purge(container, old, Version.objects.filter(node=node))
        if not Version.objects.filter(node=node).exists():
            node.delete()
        elif not Version.objects.filter(node=node, cluster=Cluster.CURRENT).exists():
            Node.objects.filter(pk=node.pk).update(is_live=False)
        _free(credentials, container, -freed)
        audit.record(credentials, "object.purge", f"container:{container.pk}", name=address.name)


@retry_on_deadlock
def delete_version(credentials: Credentials, *, address: Address, serial: str) -> None:
    """Remove one version for good; if it is the current one there is no object any more, as in Swift.

    A deletion mark that still hides older versions stays as long as they do, and goes with the last of them.
    Whoever lists all versions and removes them one by one then finds nothing at all, which is no error.
    Raises Forbidden, NotFound.
    """
    require_owner(credentials, address.account)
    number = parse_serial(serial)
    with atomic():
        container = lock_container(address.account, address.container)
        own = Version.objects.filter(node__parent=container, node__name=address.name)
        version = own.filter(pk=number).first()
        if version is None:
            if own.exists():
                raise NotFound("The object has no such version.")
            return
        charge = 0
        if version.cluster == Cluster.CURRENT:
            gone = delete_chosen(credentials, container, [version])
            statistics.apply(container, gone.delta, later_than(None))
            charge = gone.charge
        if version.cluster != Cluster.DELETED:
            charge -= _purge(container, own.filter(pk=number), own)
        if not own.exclude(hash=None).exists():
            charge -= _purge(container, own, own)
            Node.objects.filter(pk=version.node_id).delete()
        _free(credentials, container, charge)
        audit.record(
            credentials, "object.purge", f"container:{container.pk}", name=address.name, version=number
        )


@retry_on_deadlock
def purge_container(credentials: Credentials, *, account: str, container: str, until: datetime) -> None:
    """Remove the history and deletion marks of a container's objects up to ``until`` (contract 5.5)."""
    require_owner(credentials, account)
    with atomic():
        node = lock_container(account, container)
        old = Version.objects.filter(node__parent=node, mtime__lte=until).exclude(cluster=Cluster.CURRENT)
        freed = _purge(node, old, Version.objects.filter(node__parent=node))
        _remove_bare(node)
        _free(credentials, node, -freed)
        audit.record(credentials, "container.purge", f"container:{node.pk}", name=container)


def _remove_bare(container: Node) -> None:
    """Remove what has neither an object nor versions any more.

    Nodes and versions are asked for apart: a join of both in batches is slow when statistics are old.
    """
    name = ""
    dead = Node.objects.filter(parent=container, is_live=False).order_by("name")
    while found := list(dead.filter(name__gt=name).values_list("pk", "name")[: batches.BATCH]):
        keys = [pk for pk, _ in found]
        used = set(Version.objects.filter(node__in=keys).values_list("node_id", flat=True).distinct())
        batches.remove_keys(Node, [pk for pk in keys if pk not in used])
        name = found[-1][1]


def current_in(container: Node) -> QuerySet[Version]:
    """Return the current versions of a container's objects, with their nodes, in order."""
    return (
        Version.objects.filter(node__parent=container, cluster=Cluster.CURRENT)
        .select_related("node")
        .order_by("node__name")
    )


def below_condition(prefix: str) -> Q:
    """Return the condition for versions whose name begins with ``prefix``."""
    end = prefix_end(prefix)
    condition = Q(node__name__gte=prefix)
    return condition & Q(node__name__lt=end) if end is not None else condition


def _delete_all(credentials: Credentials, container: Node, objects: QuerySet[Version]) -> int:
    """Put deletion marks on all of ``objects`` and return the bytes to charge."""
    delta, charge, last = Delta(), 0, ""
    rows = objects.select_related(None).values_list("pk", "node_id", "size", "node__name")
    while chosen := list(rows.filter(node__name__gt=last)[: batches.BATCH]):
        places = [versions.Place(*row[:3]) for row in chosen]
        change = delete_chosen(credentials, container, places)
        delta, charge = delta + change.delta, charge + change.charge
        last = chosen[-1][3]
    statistics.apply(container, delta, later_than(None))
    return charge


def delete_in_locked(credentials: Credentials, container: Node, objects: QuerySet[Version]) -> None:
    """Delete ``objects`` of a locked container, sums and charge included."""
    _free(credentials, container, _delete_all(credentials, container, objects))


def delete_chosen(
    credentials: Credentials, container: Node, chosen: Sequence[Version | versions.Place]
) -> versions.Effect:
    """Put deletion marks on objects of a locked container; sums and charge are left to the caller."""
    for batch in batches.batches(chosen):
        nodes = [version.node_id for version in batch]
        if len(nodes) == 1:
            prepared.execute_all((_DELETE_GRANTS, nodes), (_DELETE_LINK, nodes))
            continue
        Grant.objects.filter(node__in=nodes).delete()
        PublicLink.objects.filter(node__in=nodes).delete()
    return versions.mark_deleted(container, chosen, muser=credentials.user_id or _owner(container))


def _purge(container: Node, old: QuerySet[Version], everything: QuerySet[Version]) -> int:
    """Remove ``old`` out of ``everything``, keep the sums right, and return the bytes this frees."""
    rows = old.order_by().values("cluster").annotate(count=Count("pk"), size=Sum("size"))
    sums = {row["cluster"]: (row["count"], row["size"]) for row in rows}
    current, history = sums.get(Cluster.CURRENT, (0, 0)), sums.get(Cluster.HISTORY, (0, 0))
    is_free = settings.PITHOS_BACKEND_FREE_VERSIONING
    before = 0 if is_free else versions.cost(everything)
    batches.remove(old)
    delta = Delta(
        current_count=-current[0],
        current_bytes=-current[1],
        history_count=-history[0],
        history_bytes=-history[1],
        deleted_count=-sums.get(Cluster.DELETED, (0, 0))[0],
    )
    statistics.apply(container, delta, later_than(None))
    return int(current[1]) if is_free else before - versions.cost(everything)


def _free(credentials: Credentials, container: Node, charge: int) -> None:
    owner = _owner(container)
    quota.charge(
        credentials,
        holder=owner,
        project=container.policy.project,
        quantity=charge,
        name=f"{owner}/{container.name}",
    )


def _owner(container: Node) -> str:
    assert container.parent is not None
    return container.parent.name
