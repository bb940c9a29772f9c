"""Finding accounts, containers and objects, and making the nodes they hang on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from pithos.models import Cluster, ContainerPolicy, Node, Statistics, Version
from pithos.paths import check_account
from synnefo import clock
from synnefo.db.locks import lock_rows
from synnefo.errors import NotFound


@dataclass(frozen=True)
class Address:
    """Where an object is: account, container and name, all checked."""

    account: str
    container: str
    name: str

    @property
    def path(self) -> str:
        """Return the full path, as quota and logs name the object."""
        return f"{self.account}/{self.container}/{self.name}"


def find_account(account: str) -> Node | None:
    """Return the account's node with its statistics, or None."""
    return Node.objects.filter(parent=None, name=account).select_related("statistics").first()


def ensure_account(account: str) -> Node:
    """Return the account's node, made if this is the first use of the account."""
    found = find_account(account)
    if found is not None:
        return found
    check_account(account)
    now = clock.now()
    try:
        with transaction.atomic():
            node = Node.objects.create(parent=None, name=account)
            Statistics.objects.create(node=node, modified=now)
            Version.objects.create(node=node, mtime=now, muser=account, uuid=str(uuid4()))
    except IntegrityError:  # another request was faster
        return Node.objects.select_related("statistics").get(parent=None, name=account)
    return node


def find_container(account: str, container: str) -> Node | None:
    """Return the container's node with account, policy and statistics, or None."""
    return (
        Node.objects.filter(
            parent__name=account, parent__parent__isnull=True, parent__isnull=False, name=container
        )
        .select_related("parent", "policy", "statistics")
        .first()
    )


def get_container(account: str, container: str) -> Node:
    """Return the container's node with account, policy and statistics; raise NotFound."""
    node = find_container(account, container)
    if node is None:
        raise NotFound("The container does not exist.")
    return node


def lock_containers(*places: tuple[str, str]) -> dict[tuple[str, str], Node]:
    """Lock containers given as (account, container) in one order and return them; raise NotFound.

    Every writer takes this lock before it looks at anything below the container.
    """
    wanted = set(places)
    condition = Q()
    for account, container in wanted:
        condition |= Q(parent__name=account, name=container)
    rows = lock_rows(
        Node.objects.filter(condition, parent__isnull=False, parent__parent__isnull=True).select_related(
            "parent", "policy"
        )
    )
    found = {(row.parent.name, row.name): row for row in rows if row.parent is not None}
    if len(found) < len(wanted):
        raise NotFound("The container does not exist.")
    return found


def lock_container(account: str, container: str) -> Node:
    """Lock one container and return it with account and policy; raise NotFound."""
    return lock_containers((account, container))[account, container]


def create_container(account: Node, name: str, *, muser: str) -> Node | None:
    """Create a container with the default policy; None if somebody else just did."""
    now = clock.now()
    try:
        with transaction.atomic():
            node = Node.objects.create(parent=account, name=name)
            node.statistics = Statistics.objects.create(node=node, modified=now)
            node.policy = ContainerPolicy.objects.create(
                node=node,
                quota=settings.PITHOS_BACKEND_CONTAINER_QUOTA,
                versioning=settings.PITHOS_BACKEND_VERSIONING,
                project=account.name,
            )
            Version.objects.create(node=node, mtime=now, muser=muser, uuid=str(uuid4()))
    except IntegrityError:
        return None
    return node


def find_current(address: Address) -> Version | None:
    """Return the object's current version with node, container, account and public link, or None.

    An expired object is gone at once, whenever it is removed.
    """
    return (
        Version.objects.filter(
            Q(expires=None) | Q(expires__gt=clock.now()),
            cluster=Cluster.CURRENT,
            node__name=address.name,
            node__parent__name=address.container,
            node__parent__parent__name=address.account,
        )
        .select_related("node__parent__parent", "node__public_link")
        .first()
    )


def find_version(address: Address, serial: int) -> Version | None:
    """Return one version, not a deletion mark, of the object, or None."""
    return (
        Version.objects.filter(
            pk=serial,
            node__name=address.name,
            node__parent__name=address.container,
            node__parent__parent__name=address.account,
        )
        .exclude(hash=None)
        .select_related("node__parent__parent", "node__public_link")
        .first()
    )


def latest_in(container: Node, name: str) -> Version | None:
    """Return the latest version, current or deletion mark, of a name in a locked container."""
    return (
        Version.objects.filter(node__parent=container, node__name=name)
        .exclude(cluster=Cluster.HISTORY)
        .select_related("node")
        .first()
    )


def latest_of(container: Node, names: Sequence[str]) -> dict[str, Version]:
    """Return the latest versions of many names in a locked container, by name. Two queries.

    In two steps, because a join of two long lists is easily planned as one loop inside the other.
    """
    nodes = {node.pk: node for node in Node.objects.filter(parent=container, name__in=names)}
    found: dict[str, Version] = {}
    for version in Version.objects.filter(node__in=nodes.keys()).exclude(cluster=Cluster.HISTORY):
        version.node = nodes[version.node_id]
        found[version.node.name] = version
    return found


def later_than(previous: datetime | None) -> datetime:
    """Return now, but after ``previous``: the times of a node's versions only ever grow."""
    now = clock.now()
    return now if previous is None or previous < now else previous + timedelta(microseconds=1)
