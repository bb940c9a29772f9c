"""Deleting objects and containers, and purging history (object-storage contract 5.5, 10)."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum

from pithos.logic import public_links, quota, statistics, versions
from pithos.logic.nodes import Address, later_than, lock_container
from pithos.logic.permissions import require_owner
from pithos.logic.statistics import Delta
from pithos.models import Attribute, Cluster, Grant, Node, PublicLink, Version
from pithos.paths import prefix_end
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, retry_on_deadlock
from synnefo.errors import Conflict, NotFound


@retry_on_deadlock
def delete_object(credentials: Credentials, *, address: Address, delimiter: str = "") -> None:
    """Delete an object, and with ``delimiter`` every object below it; raise Forbidden, NotFound."""
    require_owner(credentials, address.account)
    with atomic():
        container = lock_container(address.account, address.container)
        objects = current_in(container).filter(node__name=address.name)
        if not objects.exists():
            raise NotFound("The object does not exist.")
        if delimiter:
            prefix = address.name if address.name.endswith(delimiter) else address.name + delimiter
            objects = current_in(container).filter(Q(node__name=address.name) | below_condition(prefix))
        freed = _delete_all(credentials, container, objects)
        quota.charge(
            credentials,
            holder=address.account,
            project=container.policy.project,
            quantity=freed,
            name=address.path,
        )
        audit.record(credentials, "object.delete", f"container:{container.pk}", name=address.name)


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
        charged = 0
        if not settings.PITHOS_BACKEND_FREE_VERSIONING:
            charged = children.filter(cluster=Cluster.HISTORY).aggregate(size=Sum("size"))["size"] or 0
        _remove(children)
        Node.objects.filter(parent=node).delete()
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
        freed = _purge(container, old)
        if not Version.objects.filter(node=node).exists():
            node.delete()
        elif not Version.objects.filter(node=node, cluster=Cluster.CURRENT).exists():
            Node.objects.filter(pk=node.pk).update(is_live=False)
        _free(credentials, container, -freed)
        audit.record(credentials, "object.purge", f"container:{container.pk}", name=address.name)


@retry_on_deadlock
def purge_container(credentials: Credentials, *, account: str, container: str, until: datetime) -> None:
    """Remove the history and deletion marks of a container's objects up to ``until`` (contract 5.5)."""
    require_owner(credentials, account)
    with atomic():
        node = lock_container(account, container)
        old = Version.objects.filter(node__parent=node, mtime__lte=until).exclude(cluster=Cluster.CURRENT)
        freed = _purge(node, old)
        Node.objects.filter(parent=node, versions__isnull=True).delete()
        _free(credentials, node, -freed)
        audit.record(credentials, "container.purge", f"container:{node.pk}", name=container)


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
    """Put deletion marks on all of ``objects`` and return the bytes to charge (not positive)."""
    chosen = list(objects)
    delta, charge = Delta(), 0
    nodes = [version.node_id for version in chosen]
    for start in range(0, len(nodes), 1000):
        Grant.objects.filter(node__in=nodes[start : start + 1000]).delete()
        PublicLink.objects.filter(node__in=nodes[start : start + 1000]).delete()
    muser = credentials.user_id or _owner(container)
    for version in chosen:
        change = versions.mark_deleted(container, version, muser=muser)
        delta, charge = delta + change.delta, charge + change.charge
    statistics.apply(container, delta, later_than(None))
    return charge


def delete_one(credentials: Credentials, container: Node, current: Version) -> tuple[Delta, int]:
    """Put a deletion mark on one object in a locked container; return sums and charge for the caller."""
    Grant.objects.filter(node=current.node).delete()
    public_links.withdraw(current.node)
    change = versions.mark_deleted(container, current, muser=credentials.user_id or _owner(container))
    return change.delta, change.charge


def _purge(container: Node, old: QuerySet[Version]) -> int:
    """Remove versions, keep the sums right, and return the bytes that were charged for them."""
    rows = old.order_by().values("cluster").annotate(count=Count("pk"), size=Sum("size"))
    sums = {row["cluster"]: (row["count"], row["size"]) for row in rows}
    current, history = sums.get(Cluster.CURRENT, (0, 0)), sums.get(Cluster.HISTORY, (0, 0))
    _remove(old)
    delta = Delta(
        current_count=-current[0],
        current_bytes=-current[1],
        history_count=-history[0],
        history_bytes=-history[1],
        deleted_count=-sums.get(Cluster.DELETED, (0, 0))[0],
    )
    statistics.apply(container, delta, later_than(None))
    return int(current[1] + (0 if settings.PITHOS_BACKEND_FREE_VERSIONING else history[1]))


def _remove(old: QuerySet[Version]) -> None:
    """Remove versions with their metadata, without loading them."""
    serials = old.order_by().values("pk")
    Attribute.objects.filter(version__in=serials).delete()
    Version.objects.filter(pk__in=list(serials.values_list("pk", flat=True))).delete()


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
