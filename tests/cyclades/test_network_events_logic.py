"""What Ganeti's events do to networks (Ganeti contract 9.5, network contract 10)."""

from __future__ import annotations

import pytest

from cyclades.logic import network_events
from cyclades.logic.server_events import Outcome
from cyclades.models import Backend, BackendNetwork, IPPool, Network, NetworkState
from synnefo import clock
from synnefo.errors import SynnefoError
from tests.cyclades.ganeti_fixtures import START, network_event

pytestmark = [pytest.mark.db, pytest.mark.django_db]

PENDING, ACTIVE, ERROR, DELETED = (
    NetworkState.PENDING,
    NetworkState.ACTIVE,
    NetworkState.ERROR,
    NetworkState.DELETED,
)
#: opcode: (state after success, state after failure); None leaves it.
TABLE = {
    "OP_NETWORK_ADD": (PENDING, ERROR),
    "OP_NETWORK_CONNECT": (ACTIVE, None),
    "OP_NETWORK_DISCONNECT": (PENDING, None),
    "OP_NETWORK_REMOVE": (DELETED, None),
    "OP_NETWORK_SET_PARAMS": (None, None),
}


@pytest.fixture
def row(public_network, backend) -> BackendNetwork:
    return BackendNetwork.objects.create(network=public_network, backend=backend, mac_prefix="aa:00:00")


def apply(row: BackendNetwork, operation: str, status: str = "success", *, missing: bool = False, **values):
    network = Network.objects.get(pk=row.network_id)
    event = network_event(network, row.backend, operation, status, **values)
    return network_events.apply(network, event, network_missing=missing)


@pytest.mark.parametrize("before", [PENDING, ACTIVE, ERROR])
@pytest.mark.parametrize("status", ["success", "error", "canceled"])
@pytest.mark.parametrize("operation", list(TABLE))
def test_every_opcode_with_every_end_leaves_the_state_of_the_table(row, operation, status, before):
    BackendNetwork.objects.update(operstate=before)
    apply(row, operation, status)
    after = TABLE[operation][0 if status == "success" else 1]
    row.refresh_from_db()
    assert row.operstate == (before if after is None else after)
    moved = status == "success" or operation == "OP_NETWORK_ADD"
    assert row.backendtime == (START if moved else None)


def test_the_row_is_made_by_the_first_event(public_network, backend):
    event = network_event(public_network, backend, "OP_NETWORK_ADD", "running")
    assert network_events.apply(public_network, event) == Outcome.RECORDED
    assert BackendNetwork.objects.get().mac_prefix == "aa:00:00"


def test_an_old_event_changes_nothing(row):
    apply(row, "OP_NETWORK_CONNECT", at=5)
    assert apply(row, "OP_NETWORK_DISCONNECT", at=5) == Outcome.STALE
    row.refresh_from_db()
    assert row.operstate == ACTIVE


def test_foreign_clusters_and_deleted_networks_are_ignored(row, public_network):
    stranger = Backend(clustername="somewhere.else")
    event = network_event(public_network, stranger, "OP_NETWORK_REMOVE")
    assert network_events.apply(public_network, event) == Outcome.IGNORED
    Network.objects.update(deleted=True)
    assert apply(row, "OP_NETWORK_CONNECT") == Outcome.IGNORED


def test_an_unknown_status_is_refused(row):
    with pytest.raises(SynnefoError):
        apply(row, "OP_NETWORK_ADD", "done")


@pytest.mark.parametrize("end", ["error", "canceled"])
def test_a_failed_removal_of_what_is_gone_is_a_success(row, end):
    apply(row, "OP_NETWORK_REMOVE", end, missing=True)
    row.refresh_from_db()
    assert (row.operstate, row.deleted) == (DELETED, True)


def test_a_network_that_lost_its_last_cluster_stays(row, public_network):
    apply(row, "OP_NETWORK_REMOVE")
    public_network.refresh_from_db()
    assert not public_network.deleted


def test_a_network_ends_when_every_cluster_has_lost_it(row, public_network):
    other = Backend.objects.create(clustername="second", index=1, updated=clock.now(), offline=True)
    second = BackendNetwork.objects.create(network=public_network, backend=other, operstate=ACTIVE)
    Network.objects.update(action="DESTROY")
    apply(row, "OP_NETWORK_REMOVE")
    public_network.refresh_from_db()
    assert not public_network.deleted
    apply(second, "OP_NETWORK_REMOVE")
    public_network.refresh_from_db()
    assert (public_network.deleted, public_network.state) == (True, DELETED)
    assert not BackendNetwork.objects.exists()
    assert not IPPool.objects.exists()


def test_addresses_reserved_in_ganeti_are_withheld_here(row, public_network):
    apply(row, "OP_NETWORK_SET_PARAMS", "error", add_reserved_ips=("10.0.3.9",), at=1)
    assert IPPool.objects.get().reserved_map == ""
    apply(row, "OP_NETWORK_SET_PARAMS", add_reserved_ips=("10.0.3.9", "192.0.2.1"), at=2)
    assert IPPool.objects.get().reserved_map != ""
