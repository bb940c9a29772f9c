"""The end of a network: what it held goes back once no backend has it any more (network contract 10)."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from astakos import public as astakos
from cyclades.logic import network_flavors, quota
from cyclades.models import BackendNetwork, IPPool, Network, NetworkState
from synnefo import clock

log = logging.getLogger(__name__)

PRIVATE_NETWORKS = "cyclades.network.private"
DESTROY = "DESTROY"


@dataclass(frozen=True)
class Refund:
    """A commission that gives a network's quota back, until it is known whether the network ends.

    ``payer`` is the owner and the project that it is for.
    """

    serial: int | None
    payer: tuple[str | None, str | None] = (None, None)


def begin_refund(network: Network) -> Refund:
    """Issue the commission of the end of *network*, which is not locked yet: holdings come first."""
    if network.public or not network.userid or not network.project:
        return Refund(None)
    serial = quota.issue_for(
        network.userid,
        {network.project: {PRIVATE_NETWORKS: -1}},
        name=f"client: dispatcher, resource: network {network.pk}, action: destroy",
        force=True,
    )
    return Refund(serial, _payer(network))


def _payer(network: Network) -> tuple[str | None, str | None]:
    return network.userid, network.project


def finish_locked(network: Network, refund: Refund) -> bool:
    """End the locked *network* if that is due, and settle *refund* accordingly."""
    due = not network.deleted and network.action == DESTROY and not _held_by_backends(network)
    if due and network.ips.filter(deleted=False, floating_ip=True).exists():
        log.error("network %s can't end: it still has floating IPs", network.pk)
        due = False
    if due:
        _end(network)
    if refund.serial is not None and due and refund.payer != _payer(network):
        # It was moved to another project since.
        _resolve(refund, accept=False)
        refund = begin_refund(network)
    _resolve(refund, accept=due)
    return due


def _resolve(refund: Refund, *, accept: bool) -> None:
    if refund.serial is not None:
        chosen = {"accept" if accept else "reject": [refund.serial]}
        astakos.resolve_commissions(clientkey=quota.CLIENT_KEY, **chosen)


def _held_by_backends(network: Network) -> bool:
    rows = BackendNetwork.objects.filter(network=network, deleted=False)
    return rows.exclude(operstate=NetworkState.DELETED).exists()


def _end(network: Network) -> None:
    network.deleted = True
    network.drained = False
    network.state = NetworkState.DELETED
    network.save(update_fields=["deleted", "drained", "state", "updated"])
    network.subnets.filter(deleted=False).update(deleted=True, updated=clock.now())
    IPPool.objects.filter(subnet__network=network).delete()
    BackendNetwork.objects.filter(network=network).delete()
    network_flavors.unwire(network)
