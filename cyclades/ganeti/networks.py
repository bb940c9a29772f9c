"""A network's presence in a cluster: made on demand, before the first NIC needs it (contract 3.3)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from cyclades.ganeti import clients, names, requests
from cyclades.ganeti.opcodes import ANY_END
from cyclades.models import Backend, BackendNetwork, Network, NetworkState
from synnefo.db.locks import atomic, lock_one

log = logging.getLogger(__name__)


def ensure_network_active(backend: Backend, network: Network) -> list[int]:
    """Make *network* usable by instances of *backend*; return the jobs that an instance job waits for.

    Idempotent: what the cluster has already is not asked for again, so two callers at once at worst
    submit a job that fails harmlessly. Call it outside transactions. Raises ``ServiceUnavailable`` and
    ``GanetiApiError``.
    """
    row = backend_network(backend, network)
    if row.operstate == NetworkState.ACTIVE:
        return []
    jobs = _create_and_connect(backend, network, row)
    if not jobs:
        # Everything was there: the event that said so was lost.
        BackendNetwork.objects.filter(pk=row.pk).update(operstate=NetworkState.ACTIVE)
    return jobs


def backend_network(backend: Backend, network: Network) -> BackendNetwork:
    """Return the row of *network* in *backend*, made under the network's lock when it is missing."""
    row = BackendNetwork.objects.filter(backend=backend, network=network, deleted=False).first()
    if row is not None:
        return row
    with atomic():
        lock_one(Network.objects.filter(pk=network.pk))
        row, _ = BackendNetwork.objects.update_or_create(
            backend=backend,
            network=network,
            defaults={"deleted": False},
            create_defaults={"mac_prefix": names.backend_mac_prefix(network.mac_prefix, backend.index)},
        )
    return row


def _create_and_connect(backend: Backend, network: Network, row: BackendNetwork) -> list[int]:
    with clients.rapi_for(backend) as rapi:
        existing = find_network(rapi, network)
        depends: list[int] = []
        if existing is None:
            depends = [rapi.CreateNetwork(**requests.network_parameters(network, row.mac_prefix))]
        connected = _groups_of(existing) if existing else set()
        groups = [group["name"] for group in rapi.GetGroups(bulk=True)]
        return [connect_group(rapi, network, group, depends) for group in groups if group not in connected]


def find_network(rapi: clients.RapiClient, network: Network) -> Mapping[str, Any] | None:
    """Return what the cluster knows of *network*, ``None`` when it has no such network."""
    try:
        return rapi.GetNetwork(names.network_name(network.pk))
    except clients.RapiRefused as error:
        if error.not_found:
            return None
        raise


def _groups_of(ganeti_network: Mapping[str, Any]) -> set[str]:
    # Items are [name, mode, link] or, since 2.17, [name, mode, link, vlan].
    return {item[0] for item in ganeti_network.get("group_list") or []}


def connect_group(rapi: clients.RapiClient, network: Network, group: str, depends: list[int]) -> int:
    """Submit the connection of *network* to a node group after the jobs *depends*; return the job."""
    return rapi.ConnectNetwork(
        names.network_name(network.pk),
        group,
        network.mode or "bridged",
        network.link or names.link_name(network.pk),
        conflicts_check=requests.wants_conflicts_check(network),
        depends=[[job, ANY_END] for job in depends],
    )


def delete_network(backend: Backend, network: Network) -> list[int]:
    """Disconnect *network* from every group of *backend* and remove it; return the jobs.

    A network that the cluster does not have needs none. Errors as ``ensure_network_active``.
    """
    name = names.network_name(network.pk)
    with clients.rapi_for(backend) as rapi:
        existing = find_network(rapi, network)
        if existing is None:
            return []
        jobs = [rapi.DisconnectNetwork(name, group) for group in sorted(_groups_of(existing))]
        return [*jobs, rapi.DeleteNetwork(name, depends=[[job, ANY_END] for job in jobs])]
