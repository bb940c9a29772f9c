"""Removing an account with everything in it, by an administrator (object-storage contract 20.4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from django.db.models import QuerySet

from pithos.logic import quota, versions
from pithos.logic.nodes import find_account, lock_container
from pithos.models import (
    AccountBlock,
    Attribute,
    Cluster,
    Grant,
    GroupMember,
    Node,
    PublicLink,
    Version,
)
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, retry_on_deadlock
from synnefo.errors import Conflict, NotFound

_BATCH = 1000


def require_account(account: str) -> Node:
    """Return the account's node; raise NotFound."""
    node = find_account(account)
    if node is None:
        raise NotFound(f"There is no account {account}.")
    return node


def objects_of(account: Node) -> Iterator[str]:
    """Yield ``container/object`` of every current object, in order, in bounded memory."""
    rows = (
        Version.objects.filter(node__parent__parent=account, cluster=Cluster.CURRENT)
        .order_by("node__parent__name", "node__name")
        .values_list("node__parent__name", "node__name")
    )
    for container, name in rows.iterator(chunk_size=_BATCH):
        yield f"{container}/{name}"


def remove_account(credentials: Credentials, *, account: str) -> None:
    """Remove an account: objects with their history, containers, groups, the account itself.

    One transaction for each container, so that what has been removed stays removed when it is interrupted and
    the command can be given again. Raises NotFound, and Conflict if a container appears meanwhile.
    """
    node = require_account(account)
    for container in list(Node.objects.filter(parent=node).order_by("name").values_list("name", flat=True)):
        _remove_container(credentials, account, container)
    with atomic():
        lock_one(Node.objects.filter(pk=node.pk))
        if Node.objects.filter(parent=node).exists():
            raise Conflict(f"Somebody is still writing to account {account}. Delete it again.")
        GroupMember.objects.filter(owner=account).delete()
        AccountBlock.objects.filter(account=node).delete()
        _remove_nodes(Node.objects.filter(pk=node.pk))
        audit.record(credentials, "account.delete", f"account:{account}"[:255])


@retry_on_deadlock
def _remove_container(credentials: Credentials, account: str, container: str) -> None:
    with atomic():
        node = lock_container(account, container)
        charged = versions.cost(Version.objects.filter(node__parent=node))
        while children := list(Node.objects.filter(parent=node).values_list("pk", flat=True)[:_BATCH]):
            _remove_nodes(Node.objects.filter(pk__in=children))
        _remove_nodes(Node.objects.filter(pk=node.pk))
        # An account that is no user's (any more) has no holding to give back to.
        with suppress(NotFound):
            quota.charge(
                credentials,
                holder=account,
                project=node.policy.project,
                quantity=-charged,
                name=f"{account}/{container}",
            )
        audit.record(credentials, "container.delete", f"container:{node.pk}", name=container)


def _remove_nodes(nodes: QuerySet[Node]) -> None:
    """Remove a batch of nodes and what hangs on them, each table in one statement."""
    chosen = list(nodes.values_list("pk", flat=True))
    for model in (Attribute, Version, Grant, PublicLink):
        model._base_manager.filter(node__in=chosen).delete()
    Node.objects.filter(pk__in=chosen).delete()
