"""Placing a new server on a cluster (Ganeti contract 1.5)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from cyclades.ganeti import clients, refresh, side_by_side, submission_threads
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
    return _reserve(strategy, _usable(candidates, flavor), demand)


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


def _usable(candidates: Sequence[Backend], flavor: Flavor) -> list[Backend]:
    """Return the backends whose figures are to be trusted and that offer the flavor's disk template.

    A request waits for clusters with old figures only when there are no others, so that one that does not
    answer never slows a placement elsewhere; they are asked in the background then.
    """
    doubtful = [backend for backend in candidates if _is_doubtful(backend)]
    trusted = [backend for backend in candidates if backend not in doubtful and _offers(backend, flavor)]
    if not trusted:
        answers = side_by_side.on_each(doubtful, _refresh)
        asked = zip(doubtful, answers, strict=True)
        return [backend for backend, answered in asked if answered and _offers(backend, flavor)]
    if settings.GANETI_SUBMIT_IN_BACKGROUND:
        for backend in doubtful:
            submission_threads.run(_refresh, backend, backend_id=backend.pk)
    return trusted


def _offers(backend: Backend, flavor: Flavor) -> bool:
    return flavor.volume_type.template in backend.disk_templates


def _is_doubtful(backend: Backend) -> bool:
    """Tell whether *backend* has to answer before it gets a server."""
    oldest = clock.now() - timedelta(minutes=settings.BACKEND_REFRESH_MIN)
    return not backend.disk_templates or backend.updated < oldest or clients.is_set_aside(backend)


def _refresh(backend: Backend) -> bool:
    """Read what is unknown or old of *backend*; return whether it answered."""
    try:
        if not backend.disk_templates:
            refresh.refresh_templates(backend)
        refresh.refresh_resources(backend)
    except (ServiceUnavailable, clients.GanetiApiError) as error:
        log.warning("backend %s is left out of a placement: %s", backend, error)
        return False
    return True
