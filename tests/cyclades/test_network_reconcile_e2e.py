"""reconcile-networks against a simulated Ganeti (network contract 10)."""

# ruff: noqa: F811
from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.management import call_command

from cyclades.ganeti import clients, names
from cyclades.ganeti import networks as ganeti_networks
from cyclades.logic import network_admin, reconcile_networks
from cyclades.logic.reconcile_networks import Difference
from cyclades.models import Backend, BackendNetwork, Network, NetworkState
from synnefo import clock
from tests.cyclades.network_fixtures import make_public
from tests.cyclades.test_dispatcher_e2e import Cloud, cloud  # noqa: F401

pytestmark = [pytest.mark.functional, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def network(cloud: Cloud) -> Network:
    """A public network that exists on the cluster since long."""
    made = make_public("203.0.113.0/24")
    ganeti_networks.ensure_network_active(cloud.backend, made)
    cloud.until(lambda: made.backend_networks.get().operstate == NetworkState.ACTIVE)
    BackendNetwork.objects.update(updated=clock.now() - timedelta(hours=1))
    return made


def found(*, fix: bool = False) -> list[Difference]:
    return [finding.difference for finding in reconcile_networks.reconcile(fix=fix)]


def live_names(cloud: Cloud) -> set[str]:
    with clients.rapi_for(cloud.backend) as rapi:
        return {item["name"] for item in rapi.GetNetworks(bulk=True)}


def test_nothing_differs(cloud: Cloud, network: Network) -> None:
    assert found() == []


def test_lost_row_is_made_again(cloud: Cloud, network: Network) -> None:
    BackendNetwork.objects.all().delete()
    assert found() == [Difference.NO_ROW]
    assert found(fix=True) == [Difference.NO_ROW]
    BackendNetwork.objects.update(updated=clock.now() - timedelta(hours=1))
    assert found(fix=True) == [Difference.STATE]
    assert network.backend_networks.get().operstate == NetworkState.ACTIVE
    assert found() == []


def test_network_missing_in_ganeti_is_made_again(cloud: Cloud, network: Network) -> None:
    ganeti_networks.delete_network(cloud.backend, network)
    cloud.until(lambda: names.network_name(network.pk) not in live_names(cloud))
    BackendNetwork.objects.update(
        deleted=False, operstate=NetworkState.ACTIVE, updated=clock.now() - timedelta(hours=1)
    )
    assert found(fix=True) == [Difference.MISSING]
    cloud.until(lambda: network.backend_networks.get().operstate == NetworkState.ACTIVE)
    assert names.network_name(network.pk) in live_names(cloud)


def test_orphan_is_removed(cloud: Cloud, network: Network) -> None:
    name = names.network_name(network.pk)
    network.delete()
    assert found(fix=True) == [Difference.ORPHAN]
    cloud.until(lambda: name not in live_names(cloud))


def test_deletion_whose_jobs_were_lost_is_finished(cloud: Cloud, network: Network) -> None:
    Network.objects.update(action="DESTROY")
    assert found() == [Difference.UNDELETED]
    call_command("reconcile-networks", "--fix-all", stdout=io.StringIO(), stderr=io.StringIO())
    cloud.until(lambda: Network.objects.get().deleted)
    assert found() == []


def test_young_networks_and_backends_that_are_away_are_left_alone(cloud: Cloud, network: Network) -> None:
    BackendNetwork.objects.update(operstate=NetworkState.PENDING, updated=clock.now())
    assert found() == []
    BackendNetwork.objects.all().delete()
    Backend.objects.update(offline=True)
    assert found() == []


def test_address_reserved_in_ganeti_only_is_withheld(
    cloud: Cloud, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = reconcile_networks._look

    def with_reservation(backend: Backend) -> reconcile_networks._View:
        view = look(backend)
        live = dict(view.networks[network.pk])
        live["external_reservations"] = "203.0.113.0, 203.0.113.2, 203.0.113.255"
        return reconcile_networks._View(backend, {network.pk: live}, view.groups)

    monkeypatch.setattr(reconcile_networks, "_look", with_reservation)
    assert found(fix=True) == [Difference.RESERVED]
    assert found() == []
    [pool] = network_admin.address_pools_of(network)
    assert pool.bits.reserved_indexes() == [0]
