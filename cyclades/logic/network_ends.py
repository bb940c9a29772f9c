"""A network's state as its clusters add up to, and its end (network contract 10)."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from cyclades.logic import addresses as address_pools
from cyclades.logic import network_deletion
from cyclades.models import BackendNetwork, Network, NetworkState

log = logging.getLogger(__name__)


def settle_state(network: Network) -> None:
    """Recompute the state of the locked *network* from its rows, and end it when all are gone.

    A network ends only when its destruction was asked for: one that merely lost its last cluster stays.
    """
    states = set(BackendNetwork.objects.filter(network=network).values_list("operstate", flat=True))
    if network.action == network_deletion.DESTROY and states <= {NetworkState.DELETED}:
        network_deletion.finish_locked(network, network_deletion.begin_refund(network))
        return
    if network.state != NetworkState.ACTIVE:
        network.state = NetworkState.ACTIVE
        network.save(update_fields=["state", "updated"])


def reserve_externally(network: Network, addresses: Iterable[str]) -> None:
    """Withhold *addresses*, which an administrator reserved in Ganeti, from the network's pools."""
    address_pools.reserve_external(network, list(addresses))
