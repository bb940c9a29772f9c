"""Making networks exist on Ganeti clusters and vanish from them (network contract 10)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.conf import settings

from cyclades.ganeti import clients, submission_threads
from cyclades.ganeti import networks as ganeti_networks
from cyclades.logic import network_deletion
from cyclades.models import Backend, BackendNetwork, Network, NetworkState
from synnefo.db.locks import atomic, lock_one, retry_on_deadlock
from synnefo.errors import SynnefoError

log = logging.getLogger(__name__)

_FAILURES = (SynnefoError, clients.GanetiApiError)


def online_backends() -> list[Backend]:
    """Return the clusters that a public network is made on."""
    return list(Backend.objects.filter(offline=False).order_by("pk"))


def project(network: Network, backends: Sequence[Backend]) -> dict[int, list[int]]:
    """Make *network* usable on *backends*, outside transactions; return backend id to Ganeti jobs.

    A cluster that fails is logged and left to ``reconcile-networks``.
    """
    jobs: dict[int, list[int]] = {}
    for backend in backends:
        try:
            jobs[backend.pk] = ganeti_networks.ensure_network_active(backend, network)
        except _FAILURES as error:
            log.error("network %s was not made on backend %s: %s", network.pk, backend.pk, error)
    return jobs


def remove_after_commit(network: Network, backend_ids: Sequence[int]) -> None:
    """Remove *network* from backends without making a client wait for them, where that is configured."""
    if settings.GANETI_SUBMIT_IN_BACKGROUND:
        for backend_id in backend_ids:
            submission_threads.run(remove, network, [backend_id], backend_id=backend_id)
    else:
        remove(network, backend_ids)


def remove(network: Network, backend_ids: Sequence[int]) -> dict[int, list[int]]:
    """Remove *network* from backends, outside transactions; return backend id to Ganeti jobs.

    A cluster that does not have the network needs no job. One that fails is logged; repeating the
    deletion or ``reconcile-networks`` tries again.
    """
    jobs: dict[int, list[int]] = {}
    for backend in Backend.objects.filter(pk__in=backend_ids).order_by("pk"):
        try:
            jobs[backend.pk] = ganeti_networks.delete_network(backend, network)
            if not jobs[backend.pk]:
                _note_absence(network, backend)
        except _FAILURES as error:
            log.error("network %s was not removed from backend %s: %s", network.pk, backend.pk, error)
    return jobs


@retry_on_deadlock
def _note_absence(network: Network, backend: Backend) -> None:
    """Do what the event of a removal would do, because there will be none."""
    with atomic():
        refund = network_deletion.begin_refund(network)
        locked = lock_one(Network.objects.filter(pk=network.pk))
        BackendNetwork.objects.filter(network=locked, backend=backend).update(
            operstate=NetworkState.DELETED, deleted=True
        )
        network_deletion.finish_locked(locked, refund)
