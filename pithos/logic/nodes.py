"""Finding accounts, containers and objects, and making the nodes they hang on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from pithos.models import Cluster, ContainerPolicy, Node, PublicLink, Statistics, Version
from pithos.paths import check_account
from synnefo import clock
from synnefo.db import prepared
from synnefo.db.locks import lock_rows, lock_then_fetch
from synnefo.db.rows import build, build_optional, columns, link, split
from synnefo.errors import NotFound

_ACCOUNT_AND_CONTAINER = """FROM pithos_node a JOIN pithos_node c ON c.parent_id = a.id"""
_OF_THESE_NAMES = "WHERE a.parent_id IS NULL AND a.name = %s AND c.name = %s"
_POLICY = "LEFT JOIN pithos_container_policy p ON p.node_id = c.id"
_CONTAINER = f"""
SELECT {columns(Node, "c")}, {columns(Node, "a")}, {columns(ContainerPolicy, "p")}, {columns(Statistics, "s")}
  {_ACCOUNT_AND_CONTAINER} {_POLICY} LEFT JOIN pithos_statistics s ON s.node_id = c.id {_OF_THESE_NAMES}
"""
#: Without the sums, which would be those from before the wait for the lock.
_LOCKED_CONTAINER = f"""
SELECT {columns(Node, "c")}, {columns(Node, "a")}, {columns(ContainerPolicy, "p")}
  {_ACCOUNT_AND_CONTAINER} {_POLICY} {_OF_THESE_NAMES}
"""
_LATEST = f"""
SELECT {columns(Version, "v")}, {columns(Node, "n")}
  FROM pithos_node n JOIN pithos_version v ON v.node_id = n.id AND v.cluster <> {Cluster.HISTORY:d}
 WHERE n.parent_id = %s AND n.name = %s
"""  # noqa: S608  (only constants)
_LOCK = f"SELECT 1 {_ACCOUNT_AND_CONTAINER} {_OF_THESE_NAMES}"
_LOCKED_LATEST = f"""
SELECT {columns(Node, "c")}, {columns(Node, "a")}, {columns(ContainerPolicy, "p")},
       {columns(Version, "v")}, {columns(Node, "n")}
  {_ACCOUNT_AND_CONTAINER} {_POLICY}
  LEFT JOIN (pithos_node n JOIN pithos_version v ON v.node_id = n.id AND v.cluster <> {Cluster.HISTORY:d})
    ON n.parent_id = c.id AND n.name = %s
  {_OF_THESE_NAMES}
"""
#: The current version of an object, with what a caller adds to the columns.
CURRENT = f"""
SELECT {columns(Version, "v")}, {columns(Node, "n")}, {columns(Node, "c")}, {columns(Node, "a")},
       {columns(PublicLink, "link")}{{more}}
  {_ACCOUNT_AND_CONTAINER}
  JOIN pithos_node n ON n.parent_id = c.id
  JOIN pithos_version v ON v.node_id = n.id AND v.cluster = {Cluster.CURRENT:d}
  LEFT JOIN pithos_public_link link ON link.node_id = n.id
  {_OF_THESE_NAMES} AND n.name = %s
"""
_FIND_CURRENT = CURRENT.format(more="")


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
    row = prepared.fetch_one(_CONTAINER, [account, container])
    if row is None:
        return None
    node, sums = _container(row)
    link(node, "statistics", build_optional(Statistics, sums))
    return node


def _container(row: Sequence[object]) -> tuple[Node, Sequence[object]]:
    own, above, policy, rest = split(row, Node, Node, ContainerPolicy)
    node = build(Node, own)
    link(node, "parent", build(Node, above))
    link(node, "policy", build_optional(ContainerPolicy, policy))
    return node, rest


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
            "parent"
        )
    )
    found = {(row.parent.name, row.name): row for row in rows if row.parent is not None}
    if len(found) < len(wanted):
        raise NotFound("The container does not exist.")
    # Behind the lock: joined to it they would be those from before the wait.
    policies = {policy.node_id: policy for policy in ContainerPolicy.objects.filter(node__in=rows)}
    for row in rows:
        link(row, "policy", policies.get(row.pk))
    return found


def lock_container(account: str, container: str) -> Node:
    """Lock one container and return it with account and policy; raise NotFound."""
    names = [account, container]
    rows = lock_then_fetch((_LOCK, names), (_LOCKED_CONTAINER, names), of="c")
    if not rows:
        raise NotFound("The container does not exist.")
    return _container(rows[0])[0]


def lock_with_latest(address: Address) -> tuple[Node, Version | None]:
    """Lock an object's container and return it with the name's latest version, as ``latest_in`` finds it.

    Raises NotFound if there is no such container. One round trip.
    """
    names = [address.account, address.container]
    rows = lock_then_fetch((_LOCK, names), (_LOCKED_LATEST, [address.name, *names]), of="c")
    if not rows:
        raise NotFound("The container does not exist.")
    container, rest = _container(rows[0])
    return container, _latest(rest)


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
    row = prepared.fetch_one(_FIND_CURRENT, [address.account, address.container, address.name])
    return current_of(row)[0] if row is not None else None


def current_of(row: Sequence[Any]) -> tuple[Version | None, Sequence[Any]]:
    """Return the version in a row of CURRENT, None if it has expired, and what the caller added."""
    own, object_node, container, account, public, rest = split(row, Version, Node, Node, Node, PublicLink)
    version, node, above = build(Version, own), build(Node, object_node), build(Node, container)
    link(version, "node", node)
    link(node, "parent", above)
    link(above, "parent", build(Node, account))
    link(node, "public_link", build_optional(PublicLink, public))
    return None if is_over(version) else version, rest


def is_over(version: Version) -> bool:
    """Tell whether the object has expired; until it is removed it has a current version all the same."""
    return version.expires is not None and version.expires <= clock.now()


def not_over() -> Q:
    """Return the condition for versions that have not expired."""
    return Q(expires=None) | Q(expires__gt=clock.now())


def find_version(address: Address, serial: int) -> Version | None:
    """Return one version, not a deletion mark, of the object, or None; an old one does not expire."""
    return (
        Version.objects.filter(
            ~Q(cluster=Cluster.CURRENT) | not_over(),
            pk=serial,
            node__name=address.name,
            node__parent__name=address.container,
            node__parent__parent__name=address.account,
        )
        .exclude(hash=None)
        .select_related("node__parent__parent", "node__public_link")
        .first()
    )


def parse_serial(text: str) -> int:
    """Return a version number; anything that is none cannot exist, so NotFound is raised."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise NotFound("The object has no such version.")
    return int(text)


def latest_in(container: Node, name: str) -> Version | None:
    """Return the latest version, current or deletion mark, of a name in a locked container."""
    row = prepared.fetch_one(_LATEST, [container.pk, name])
    return _latest(row) if row is not None else None


def _latest(row: Sequence[object]) -> Version | None:
    own, node, _rest = split(row, Version, Node)
    version = build_optional(Version, own)
    if version is not None:
        link(version, "node", build(Node, node))
    return version


def later_than(previous: datetime | None) -> datetime:
    """Return now, but after ``previous``: the times of a node's versions only ever grow."""
    now = clock.now()
    return now if previous is None or previous < now else previous + timedelta(microseconds=1)
