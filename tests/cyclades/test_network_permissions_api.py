"""Who may do what with networks and all in them, and the states of ports (network contract 12 and 6)."""

# ruff: noqa: F811
from __future__ import annotations

import json
from typing import Any

import pytest

from astakos import public as astakos
from cyclades.logic import ports
from cyclades.models import IPAddress, Network, Port
from synnefo.credentials import Credentials
from synnefo.errors import NotFound
from tests.cyclades.network_world import World, world  # noqa: F401

pytestmark = [pytest.mark.db, pytest.mark.django_db]
REASSIGN = {"reassign": {"project": "nobody"}}
V6 = {"network_id": "NETWORK", "cidr": "fd00::/64", "ip_version": 6}

#: The release of a shared floating IP stands in ``test_address_floating_api``: it needs a real membership.
#: Call, and its status for the owner, a member of the project that it is shared with, and a stranger.
MATRIX: dict[tuple[str, str, str], tuple[int, int, int]] = {
    ("GET", "networks/{network}", ""): (200, 200, 404),
    ("PUT", "networks/{network}", '{"network": {"name": "n"}}'): (200, 200, 404),
    ("POST", "networks/{network}/action", json.dumps(REASSIGN)): (400, 403, 404),
    ("DELETE", "networks/{network}", ""): (409, 409, 404),
    ("GET", "networks/{public}", ""): (200, 200, 200),
    ("PUT", "networks/{public}", '{"network": {"name": "n"}}'): (403, 403, 403),
    ("DELETE", "networks/{public}", ""): (403, 403, 403),
    ("POST", "networks/{public}/action", json.dumps(REASSIGN)): (403, 403, 403),
    ("GET", "subnets/{subnet}", ""): (200, 200, 404),
    ("PUT", "subnets/{subnet}", '{"subnet": {"name": "n"}}'): (200, 403, 404),
    ("POST", "subnets", json.dumps({"subnet": V6})): (201, 403, 404),
    ("GET", "subnets/{public_subnet}", ""): (200, 200, 200),
    ("PUT", "subnets/{public_subnet}", '{"subnet": {"name": "n"}}'): (403, 403, 403),
    ("GET", "ports/{port}", ""): (200, 200, 404),
    ("PUT", "ports/{port}", '{"port": {"name": "n"}}'): (200, 200, 404),
    ("POST", "ports", '{"port": {"network_id": "NETWORK"}}'): (201, 201, 404),
    ("DELETE", "ports/{port}", ""): (204, 204, 404),
    ("GET", "floatingips/{ip}", ""): (200, 200, 404),
    ("POST", "floatingips/{ip}/action", json.dumps(REASSIGN)): (400, 403, 404),
}


def call(world: World, user: Any, row: tuple[str, str, str]) -> int:
    method, path, body = row
    data = body.replace('"NETWORK"', f'"{world.network.pk}"').encode()
    url = f"/cyclades/network/v2.0/{world.path(path)}"
    return user.call(method, url, data, content_type="application/json").status_code


@pytest.mark.parametrize("role", ["owner", "member", "stranger"])
def test_each_role_gets_what_the_matrix_says(world: World, role: str, settings) -> None:
    settings.CYCLADES_SHARED_RESOURCES_ENABLED = True
    if role == "member":
        world.share()
    user = world.owner if role == "owner" else world.other
    column = ("owner", "member", "stranger").index(role)
    answers = {row: call(world, user, row) for row in MATRIX}
    assert answers == {row: statuses[column] for row, statuses in MATRIX.items()}


def test_after_unsharing_the_owner_of_the_network_or_the_port_may_still_remove_it(world: World) -> None:
    world.share()
    acting = astakos.authenticate(world.other.token)
    port = ports.create(acting, request=ports.PortRequest(network_id=world.network.pk))
    Network.objects.filter(pk=world.network.pk).update(shared_to_project=False)
    assert call(world, world.other, ("GET", f"ports/{port.pk}", "")) == 200
    assert call(world, world.other, ("GET", "networks/{network}", "")) == 404
    assert call(world, world.owner, ("DELETE", f"ports/{port.pk}", "")) == 204
    with pytest.raises(NotFound):
        ports.get_port(Credentials.administrator(), port_id=port.pk)


@pytest.mark.parametrize("state", ["DOWN", "BUILD", "ACTIVE", "ERROR"])
def test_a_port_is_shown_and_found_by_its_state(world: World, state: str) -> None:
    Port.objects.update(state=state)
    url = "/cyclades/network/v2.0/ports"
    shown = world.owner.call("GET", f"{url}/{world.port.pk}").json()["port"]
    assert shown["status"] == state
    for wanted, expected in ((state, 1), ("UNKNOWN", 0)):
        assert len(world.owner.call("GET", f"{url}?status={wanted}").json()["ports"]) == expected


def test_a_floating_ip_moves_by_its_port(world: World) -> None:
    def put(body: object, path: str = "floatingips/{ip}") -> Any:
        url = f"/cyclades/network/v2.0/{world.path(path)}"
        data = json.dumps({"floatingip": body}).encode()
        return world.owner.call("PUT", url, data, content_type="application/json")

    assert put({}).status_code == 501
    assert put({"port_id": "x"}).status_code == 400
    assert put({"port_id": "999999"}).status_code == 404
    # There is nothing to put it on: that port is on no server.
    assert put({"port_id": str(world.port.pk)}).status_code == 400
    assert put({"port_id": None}).json()["floatingip"]["port_id"] is None
    IPAddress.objects.filter(pk=world.ip.pk).update(nic=world.port)
    assert put({"port_id": str(world.port.pk)}).status_code == 200
    other = ports.create(
        astakos.authenticate(world.owner.token), request=ports.PortRequest(network_id=world.network.pk)
    )
    assert put({"port_id": str(other.pk)}).status_code == 409


@pytest.mark.parametrize("path", ["agents", "quotas/x", "quotas/x/details", "extensions/x"])
def test_what_the_service_has_none_of_is_404(world: World, path: str) -> None:
    assert call(world, world.owner, ("GET", path, "")) == 404
