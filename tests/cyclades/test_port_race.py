"""Simultaneous requests for ports of one user (network contract 6)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections

from cyclades.logic import networks, ports
from cyclades.models import Network, Port
from synnefo.errors import OverLimit
from tests.cyclades.compute_fixtures import Person
from tests.markers import needs_postgres

pytestmark = [pytest.mark.db, pytest.mark.django_db(transaction=True), needs_postgres]


def test_ports_on_no_server_stay_within_their_limit(
    person: Person, private_network: Network, settings: object
) -> None:
    settings.CYCLADES_MAX_UNATTACHED_PORTS = 3  # type: ignore[attr-defined]
    other = networks.create(person.credentials, flavor_name="MAC_FILTERED", name="other-net")
    places, barrier = (private_network.pk, other.pk), Barrier(8)

    def create(number: int) -> str:
        try:
            barrier.wait(60)
            ports.create(person.credentials, request=ports.PortRequest(network_id=places[number % 2]))
            return "made"
        except OverLimit:
            return "refused"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        ends = list(threads.map(create, range(8)))
    assert sorted(ends) == ["made"] * 3 + ["refused"] * 5
    assert Port.objects.filter(machine=None).count() == 3
