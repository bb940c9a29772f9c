"""Making networks exist on Ganeti clusters and vanish from them (network contract 10)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from cyclades.models import Backend, Network
from synnefo.errors import SynnefoError

log = logging.getLogger(__name__)


def online_backends() -> list[Backend]:
    """Return the clusters that a public network is made on."""
    return list(Backend.objects.filter(offline=False).order_by("pk"))


def project(network: Network, backends: Sequence[Backend]) -> dict[int, list[int]]:
    """Make *network* usable on *backends*, outside transactions; return backend id to Ganeti jobs.

    A cluster that fails is logged and left to ``reconcile-networks``.
    """
    from cyclades.ganeti import networks as ganeti_networks

    jobs: dict[int, list[int]] = {}
    for backend in backends:
        try:
            jobs[backend.pk] = ganeti_networks.ensure_network_active(backend, network)
        except (SynnefoError, ganeti_networks.clients.GanetiApiError) as error:
            log.error("network %s was not made on backend %s: %s", network.pk, backend.pk, error)
    return jobs


def remove(network: Network, backend_ids: Sequence[int]) -> dict[int, list[int]]:
    """Remove *network* from backends, outside transactions; return backend id to Ganeti jobs.

    A cluster that fails is logged; repeating the deletion or ``reconcile-networks`` tries again.
    """
    from cyclades.ganeti import networks as ganeti_networks

    jobs: dict[int, list[int]] = {}
    for backend in Backend.objects.filter(pk__in=backend_ids).order_by("pk"):
        try:
            jobs[backend.pk] = ganeti_networks.delete_network(backend, network)
        except (SynnefoError, ganeti_networks.clients.GanetiApiError) as error:
            log.error("network %s was not removed from backend %s: %s", network.pk, backend.pk, error)
    return jobs
