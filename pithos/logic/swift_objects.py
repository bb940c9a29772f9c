"""What only Swift's dialect asks of objects: another POST, and an end (object-storage contract 22.2)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from pithos.logic import deletes, metadata, permissions, statistics, versions
from pithos.logic.metadata import USER_DOMAIN
from pithos.logic.nodes import Address, find_current, latest_in, lock_container
from pithos.models import Cluster, Node, Version
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, retry_on_deadlock
from synnefo.errors import NotFound, SynnefoError

log = logging.getLogger("pithos.expiry")
_BATCH = 1000


@retry_on_deadlock
def post_object(
    credentials: Credentials,
    *,
    address: Address,
    items: Mapping[str, str],
    content_type: str | None,
    expires: datetime | None,
) -> None:
    """Give an object this metadata as a whole, a type if one is named, and an end or none.

    Raises Forbidden and NotFound.
    """
    permissions.require_write(credentials, address)
    metadata.check(metadata.replaced(items), metadata.swift_limits())
    with atomic():
        container = lock_container(address.account, address.container)
        permissions.require_write(credentials, address)
        latest = latest_in(container, address.name)
        if find_current(address) is None or latest is None:
            raise NotFound("The object does not exist.")
        domains = metadata.of_version(latest)
        domains[USER_DOMAIN] = metadata.replaced(items)
        state = replace(versions.state_of(latest), expires=expires)
        if content_type:
            state = replace(state, type=content_type)
        change = versions.add(
            container, address.name, latest, state, domains, muser=credentials.user_id or address.account
        )
        statistics.apply(container, change.delta, change.version.mtime)


def delete_expired(*, limit: int = _BATCH) -> int:
    """Delete objects whose time has come, up to ``limit`` of them, and return how many.

    Containers are taken one after another, each in a transaction of its own; what cannot be deleted now stays
    for the next run.
    """
    due = Version.objects.filter(cluster=Cluster.CURRENT, expires__lte=clock.now()).order_by("expires")
    places: dict[int, list[int]] = {}
    for node_id, container_id in due.values_list("node_id", "node__parent_id")[:limit]:
        assert container_id is not None  # an object always lies in a container
        places.setdefault(container_id, []).append(node_id)
    deleted = 0
    for container_id, nodes in places.items():
        try:
            deleted += _delete_due(container_id, nodes)
        except SynnefoError as error:
            log.error("expired objects of container %s stay for now: %s", container_id, error.message)
    return deleted


@retry_on_deadlock
def _delete_due(container_id: int, nodes: list[int]) -> int:
    credentials = Credentials.administrator()
    place = Node.objects.select_related("parent").filter(pk=container_id).first()
    if place is None or place.parent is None:
        return 0
    with atomic():
        container = lock_container(place.parent.name, place.name)
        # Looked at again under the lock: an object may have been written anew, without an end.
        due = deletes.current_in(container).filter(node__in=nodes, expires__lte=clock.now())
        chosen = list(due)
        if not chosen:
            return 0
        deletes.delete_in_locked(credentials, container, due)
        audit.record(credentials, "object.expire", f"container:{container.pk}", count=len(chosen))
    return len(chosen)
