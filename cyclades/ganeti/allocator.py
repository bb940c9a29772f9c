"""Placing a new server on a cluster (Ganeti contract 1.5)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from cyclades.ganeti import clients, refresh
from cyclades.ganeti.allocators import AllocatorBase, Demand
from cyclades.models import Backend, Flavor
from synnefo import clock
from synnefo.db.locks import atomic, lock_rows, retry_on_deadlock
from synnefo.errors import ServiceUnavailable

log = logging.getLogger(__name__)


@retry_on_deadlock
def allocate(*, user_id: str, project: str, flavor: Flavor) -> Backend:
    """Choose the cluster of a new server and take its share off the cluster's free resources.

    Commits by itself: the reduction stays even when the creation fails later, until the next refresh.
    Locks the remaining candidates, in order of id, for the choice only; Ganeti is asked before that.
    Raises ``ServiceUnavailable`` when no cluster is left.
    """
    pinned = _pinned_backend(user_id)
    if pinned is not None:
        return pinned
    demand = _demand(flavor, project)
    strategy = cast(AllocatorBase, import_string(settings.BACKEND_ALLOCATOR_MODULE)())
    candidates: Sequence[Backend] = list(Backend.objects.filter(offline=False, drained=False).order_by("pk"))
    candidates = strategy.filter_backends(candidates, demand)
    candidates = [backend for backend in candidates if _is_usable(backend, flavor)]
    return _reserve(strategy, candidates, demand)


def _reserve(strategy: AllocatorBase, candidates: Sequence[Backend], demand: Demand) -> Backend:
    with atomic():
        # Another request may have drained one or placed servers meanwhile, so the locked rows decide.
        locked = lock_rows(
            Backend.objects.filter(pk__in=[b.pk for b in candidates], offline=False, drained=False)
        )
        if not locked:
            raise ServiceUnavailable("No available backends", retry_after=30)
        chosen = locked[0] if len(locked) == 1 else strategy.allocate(locked, demand)
        chosen.mfree = max(0, chosen.mfree - demand.ram)
        chosen.dfree = max(0, chosen.dfree - demand.disk)
        chosen.pinst_cnt += 1
        chosen.save(update_fields=["mfree", "dfree", "pinst_cnt"])
        return chosen


def _pinned_backend(user_id: str) -> Backend | None:
    wanted = settings.BACKEND_PER_USER.get(user_id)
    if wanted is None:
        return None
    by_id = isinstance(wanted, int) or str(wanted).isdigit()
    found = Backend.objects.filter(**({"pk": int(wanted)} if by_id else {"clustername": wanted})).first()
    if found is None:
        log.error("BACKEND_PER_USER sends user %s to the unknown backend %r", user_id, wanted)
    return found


def _demand(flavor: Flavor, project: str) -> Demand:
    # DRBD keeps a second copy on another node.
    copies = 2 if flavor.volume_type.template == "drbd" else 1
    return Demand(ram=flavor.ram, disk=flavor.disk * 1024 * copies, cpu=flavor.cpu, project=project)


def _is_usable(backend: Backend, flavor: Flavor) -> bool:
    """Tell whether *backend* offers the flavor's disk template, refreshing what is too old to trust."""
    try:
        if not backend.disk_templates:
            refresh.refresh_templates(backend)
        if flavor.volume_type.template not in backend.disk_templates:
            return False
        # A cluster that was set aside proves by this request that it is back.
        if clients.is_set_aside(backend) or backend.updated < clock.now() - timedelta(
            minutes=settings.BACKEND_REFRESH_MIN
        ):
            refresh.refresh_resources(backend)
    except (ServiceUnavailable, clients.GanetiApiError) as error:
        log.warning("backend %s is left out of a placement: %s", backend, error)
        return False
    return True
