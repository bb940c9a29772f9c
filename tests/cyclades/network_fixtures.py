"""Networks, pools and a client of the network root for the tests of the network service."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.http import HttpResponse
from django.test import Client

from cyclades.logic import network_flavors, networks, subnets, value_pools
from cyclades.logic.network_flavors import Overrides
from cyclades.models import Network, Subnet
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic
from tests.cyclades.compute_fixtures import Person


@dataclass(frozen=True)
class NetworkApi:
    """A client of the network root that sends one token."""

    client: Client
    token: str | None = None

    def call(self, method: str, path: str, body: object = None, **extra: object) -> HttpResponse:
        headers = {} if self.token is None else {"X-Auth-Token": self.token}
        if body is not None:
            extra.setdefault("content_type", "application/json")
            extra["data"] = body if isinstance(body, str | bytes) else json.dumps(body)
        return self.client.generic(method, f"/cyclades/network/{path}", headers=headers, **extra)

    def get(self, path: str, **extra: object) -> HttpResponse:
        return self.call("GET", f"v2.0/{path}", **extra)

    def post(self, path: str, body: object = None, **extra: object) -> HttpResponse:
        return self.call("POST", f"v2.0/{path}", body, **extra)

    def put(self, path: str, body: object = None, **extra: object) -> HttpResponse:
        return self.call("PUT", f"v2.0/{path}", body, **extra)

    def delete(self, path: str, **extra: object) -> HttpResponse:
        return self.call("DELETE", f"v2.0/{path}", **extra)


def network_api(person: Person) -> NetworkApi:
    """Return the network client of a user."""
    return NetworkApi(person.api.client, person.api.token)


@pytest.fixture
def api(person: Person) -> NetworkApi:
    """The user's client."""
    return network_api(person)


@pytest.fixture
def mac_pool(db: None) -> None:
    """A pool of MAC prefixes, small enough to be exhausted."""
    administrator = Credentials.administrator()
    value_pools.create(administrator, kind=value_pools.MAC_PREFIX, size=64, base="aa:00:0", offset=None)


@pytest.fixture
def private_network(person: Person, mac_pool: None) -> Network:
    """A private network of the user, with an IPv4 subnet."""
    network = networks.create(person.credentials, flavor_name="MAC_FILTERED", name="lab-net")
    request = subnets.SubnetRequest(cidr="10.20.30.0/24")
    subnets.create(person.credentials, network_id=network.pk, request=request)
    return network


def make_public(
    cidr: str | None = "203.0.113.0/29",
    cidr6: str | None = None,
    *,
    floating: bool = True,
    name: str = "public",
) -> Network:
    """Insert an administrator's public network without telling any backend."""
    with atomic():
        network = networks.insert(
            network_flavors.CUSTOM,
            Overrides(),
            Network(name=name, public=True, floating_ip_pool=floating),
        )
        if cidr:
            subnets.add_subnet(network, subnets.SubnetRequest(cidr=cidr))
        if cidr6:
            subnets.add_subnet(network, subnets.SubnetRequest(cidr=cidr6, ipversion=6))
    return network


@pytest.fixture
def internet(db: None) -> Network:
    """A public network of five free addresses, .2 to .6."""
    return make_public()


@pytest.fixture
def make_public_network(db: None) -> Callable[..., Network]:
    """Factory of public networks."""
    return make_public


def subnet_of(network: Network, ipversion: int = 4) -> Subnet:
    """Return a network's subnet."""
    return network.subnets.get(ipversion=ipversion)
