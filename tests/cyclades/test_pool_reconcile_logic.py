"""Comparing pools with what is in use (network contract 8)."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cyclades.logic import floating_ips, reconcile_pools, value_pools
from cyclades.logic.reconcile_pools import Finding, Problem
from cyclades.models import IPAddress, IPPool, Network
from synnefo.credentials import Credentials
from tests.cyclades.compute_fixtures import Person
from tests.cyclades.test_address_logic import assert_pool_agrees_with_rows

pytestmark = [pytest.mark.db, pytest.mark.django_db]

ADMINISTRATOR = Credentials.administrator()


def found(*, fix: bool = False) -> list[tuple[str, Problem]]:
    return [(f.value, f.problem) for f in reconcile_pools.reconcile(ADMINISTRATOR, fix=fix)]


def test_pools_in_order_give_no_findings(person: Person, private_network: Network, internet: Network) -> None:
    floating_ips.create(person.credentials)
    assert found() == []


def test_addresses_are_marked_as_they_are_used(person: Person, internet: Network) -> None:
    first, second = (floating_ips.create(person.credentials) for _ in range(2))
    IPAddress.objects.filter(pk=first.pk).delete()
    IPAddress.objects.filter(pk=second.pk).update(address="203.0.113.5")
    expected = [
        ("203.0.113.2", Problem.UNUSED),
        ("203.0.113.3", Problem.UNUSED),
        ("203.0.113.5", Problem.UNMARKED),
    ]
    before = IPPool.objects.get().available_map
    assert found() == expected
    assert IPPool.objects.get().available_map == before
    assert found(fix=True) == expected
    assert found() == []
    assert_pool_agrees_with_rows(internet)


def test_networks_in_order_cost_no_query_of_their_own(
    make_public_network: Callable[..., Network],
) -> None:
    # The two kinds of values, and addresses and pools of all networks.
    for number in range(2):
        make_public_network(f"203.0.113.{32 * number}/28")
        with CaptureQueriesContext(connection) as captured:
            assert found() == []
        assert sum("SAVEPOINT" not in query["sql"] for query in captured) == 4


def test_addresses_outside_the_pools_and_released_ones_do_not_count(
    person: Person, internet: Network
) -> None:
    ip = floating_ips.create(person.credentials)
    floating_ips.delete(person.credentials, ip_id=ip.pk)
    subnet = internet.subnets.get()
    IPAddress.objects.create(subnet=subnet, network=internet, address="203.0.113.1", ipversion=4)
    assert found() == []


def test_what_is_withheld_stays_withheld(internet: Network) -> None:
    from cyclades.logic import network_admin

    changes = network_admin.NetworkChanges(add_reserved=["203.0.113.4"])
    network_admin.modify(ADMINISTRATOR, network_id=internet.pk, changes=changes)
    assert found(fix=True) == []
    [pool] = network_admin.address_pools_of(internet)
    assert pool.bits.reserved_indexes() == [2]


def test_mac_prefix_used_twice_is_reported_but_not_mended(private_network: Network) -> None:
    Network.objects.create(name="copy", flavor="MAC_FILTERED", mac_prefix=private_network.mac_prefix)
    [finding] = reconcile_pools.reconcile(ADMINISTRATOR, fix=True)
    name = f"mac-prefix-pool:{value_pools.list_pools(value_pools.MAC_PREFIX)[0].row.pk}"
    assert finding == Finding(name, private_network.mac_prefix, Problem.DUPLICATE, False)
    with pytest.raises(CommandError, match="twice"):
        call_command("reconcile-pools", "--fix", stdout=io.StringIO(), stderr=io.StringIO())


def test_command_prints_the_findings(private_network: Network) -> None:
    Network.objects.update(deleted=True)
    out = io.StringIO()
    call_command("reconcile-pools", stdout=out, stderr=io.StringIO())
    assert private_network.mac_prefix in out.getvalue()
    call_command("reconcile-pools", "--fix", stdout=io.StringIO(), stderr=io.StringIO())
    assert found() == []
