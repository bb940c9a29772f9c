"""The network and image services against facts about the answers of the original.

``tests/data/network_image_answers.json`` holds, for each recorded call, its method, path, status and content
type, and the keys and types of its body or the names of its headers. ``DIFFERENCES`` are deliberate.
"""

# ruff: noqa: F811
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse

from cyclades.models import Backend, BackendNetwork
from synnefo import clock
from tests.cyclades.network_world import World, world  # noqa: F401

pytestmark = [pytest.mark.db, pytest.mark.django_db]

FACTS = json.loads((Path(__file__).parent.parent / "data" / "network_image_answers.json").read_text())
UNKNOWN = "11111111-1111-1111-1111-111111111111"

#: Recorded call → why its body is not compared, nor its status if it stands in ``STATUSES``.
DIFFERENCES = {
    "network create-notype": "Neutron's clients know of no types and get the first that users may create",
    "image list-noslash": "kamaki 0.16 accepts only a bare array from v1.0; v1 wraps it as recorded",
    "image list-filter": "as list-noslash",
    "image list-badcontainer": "as list-noslash; and the filter, which the original ignored, is honoured",
    "image list-as-bob": "as list-noslash",
}
#: Recorded call → the status that is answered on purpose.
STATUSES = {"network create-notype": 201}

Call = Callable[[World], HttpResponse]


def network(method: str, path: str, body: object = None, *, other: bool = False) -> Call:
    """Return a call of the network root."""

    def run(world: World) -> HttpResponse:
        user = world.other if other else world.owner
        data = b"" if body is None else json.dumps(body).replace('"NETWORK"', f'"{world.network.pk}"')
        url = f"/cyclades/network/{world.path(path)}"
        return user.call(method, url, data, content_type="application/json")

    return run


def image(method: str, path: str, body: object = b"", *, other: bool = False, **headers: str) -> Call:
    """Return a call of the image root."""

    def run(world: World) -> HttpResponse:
        user = world.other if other else world.owner
        return user.api(method, world.path(path), body, **headers)

    return run


def register(**fields: str) -> Call:
    """Return a registration of the world's file."""

    def run(world: World) -> HttpResponse:
        location = f"pithos://{world.owner.uuid}/images/{fields.get('file', 'debian')}"
        more = {key: value for key, value in fields.items() if key not in ("file", "location")}
        return world.owner.register(fields.get("location", location), "n", **more)

    return run


def compute(method: str, path: str, body: object = b"") -> Call:
    """Return a call of compute's view of images."""
    return lambda world: world.owner.compute(method, world.path(path), body)


def after(*steps: Call) -> Call:
    """Return the last of several calls."""

    def run(world: World) -> HttpResponse:
        for step in steps[:-1]:
            assert step(world).status_code < 300
        return steps[-1](world)

    return run


def _connected(world: World) -> HttpResponse:
    backend = Backend.objects.create(clustername="cluster.example", updated=clock.now())
    BackendNetwork.objects.create(network=world.network, backend=backend)
    return HttpResponse()


NETWORKS, SUBNETS, PORTS, IPS = "v2.0/networks", "v2.0/subnets", "v2.0/ports", "v2.0/floatingips"
ANY_IP = network("POST", IPS, {"floatingip": {}})
DROP_PORT = network("DELETE", PORTS + "/{port}")
V6 = {"subnet": {"network_id": "NETWORK", "cidr": "fd00:1::/64", "ip_version": 6}}
V4 = {"subnet": {"network_id": "NETWORK", "cidr": "10.0.0.0/8"}}
NEW_NETWORK = network("POST", NETWORKS, {"network": {"type": "MAC_FILTERED", "name": "second"}})


def _subnet_create(world: World) -> HttpResponse:
    made = NEW_NETWORK(world).json()["network"]["id"]
    return network("POST", SUBNETS, {"subnet": {"network_id": made, "cidr": "192.168.5.0/24"}})(world)


def _address(world: World) -> HttpResponse:
    wanted = {"floating_network_id": world.public.pk, "floating_ip_address": "203.0.113.50"}
    return network("POST", IPS, {"floatingip": wanted})(world)


def _fixed(world: World) -> HttpResponse:
    port = {"network_id": world.network.pk, "fixed_ips": [{"ip_address": "10.20.30.77"}]}
    return network("POST", PORTS, {"port": port})(world)


def _over_limit(world: World) -> HttpResponse:
    for _ in range(9):
        assert ANY_IP(world).status_code == 200
    return ANY_IP(world)


def _reassign(world: World) -> HttpResponse:
    action = {"reassign": {"project": world.owner.uuid}}
    return network("POST", IPS + "/{ip}/action", action)(world)


MEMBER = "images/{image}/members/{member}"
CALLS: dict[str, Call] = {
    "network versions": network("GET", ""),
    "network list": network("GET", NETWORKS),
    "network get-public": network("GET", NETWORKS + "/{public}"),
    "network get-nan": network("GET", NETWORKS + "/a-b"),
    "network create-notype": network("POST", NETWORKS, {"network": {"name": "x"}}),
    "network create-forbiddentype": network("POST", NETWORKS, {"network": {"type": "PHYSICAL_VLAN"}}),
    "network get": network("GET", NETWORKS + "/{network}"),
    "network rename": network("PUT", NETWORKS + "/{network}", {"network": {"name": "x"}}),
    "network subnet-create": _subnet_create,
    "network subnet-create-v6": network("POST", SUBNETS, V6),
    "network subnet-bigcidr": after(_connected, network("POST", SUBNETS, V4)),
    "network subnets": network("GET", SUBNETS),
    "network subnet-rename": network("PUT", SUBNETS + "/{subnet}", {"subnet": {"name": "x"}}),
    "network subnet-delete": network("DELETE", SUBNETS + "/{subnet}"),
    "network ports": network("GET", PORTS),
    "network port-create-fixed": _fixed,
    "network port-create-badnet": network("POST", PORTS, {"port": {"network_id": "9999"}}),
    "network port-create-nonet": network("POST", PORTS, {"port": {}}),
    "network port": network("GET", PORTS + "/{port}"),
    "network port-delete": DROP_PORT,
    "network network-delete-inuse": network("DELETE", NETWORKS + "/{network}"),
    "network port-delete-all": DROP_PORT,
    "network network-delete": after(DROP_PORT, network("DELETE", NETWORKS + "/{network}")),
    "network network-delete-public": network("DELETE", NETWORKS + "/{public}"),
    "network network-action-unknown": network("POST", NETWORKS + "/{network}/action", {"fly": {}}),
    "network fip-create": ANY_IP,
    "network fip-create-address": _address,
    "network fip-create-overlimit": _over_limit,
    "network fips2": network("GET", IPS),
    "network fip-other": network("GET", IPS + "/{ip}", other=True),
    "network fip-reassign": _reassign,
    "network fip-delete": network("DELETE", IPS + "/{ip}"),
    "network fip-unknown": network("DELETE", IPS + "/9999"),
    "image versions": lambda world: world.owner.call("GET", "/cyclades/image/"),
    "image list-noslash": image("GET", "images"),
    "image list-filter": image("GET", "images/detail?name=Debian&size_min=1&sort_key=name&sort_dir=desc"),
    "image list-badsort": image("GET", "images/detail?sort_key=zz"),
    "image list-badcontainer": image("GET", "images/detail?container_format=zz"),
    "image head-unknown": image("HEAD", f"images/{UNKNOWN}"),
    "image head-other": image("HEAD", "images/{image}", other=True),
    "image register-again": register(),
    "image register-noloc": register(location=""),
    "image register-missing": register(file="nope"),
    "image register-badid": register(id="zz"),
    "image register-badsize": register(size="1"),
    "image list-as-bob": image("GET", "images/detail", other=True),
    "image update-unknown": image("PUT", f"images/{UNKNOWN}", X_Image_Meta_Name="x"),
    "image members": image("GET", "images/{image}/members"),
    "image members-set": image("PUT", "images/{image}/members", {"memberships": [{"member_id": "x"}]}),
    "image shared-images": image("GET", "shared-images/{member}"),
    "image member-del": image("DELETE", MEMBER),
    "image delete-again": after(image("DELETE", "images/{image}"), image("DELETE", "images/{image}")),
    "compute-image images": compute("GET", "images"),
    "compute-image image": compute("GET", "images/{image}"),
    "compute-image image-meta": compute("GET", "images/{image}/metadata"),
    "compute-image image-meta-post": compute("POST", "images/{image}/metadata", {"metadata": {"os": "x"}}),
    "compute-image image-meta-del": after(
        compute("POST", "images/{image}/metadata", {"metadata": {"users": "root"}}),
        compute("DELETE", "images/{image}/metadata/users"),
    ),
    "compute-image images-changes-since-old": compute("GET", "images?changes-since=2010-01-01T00:00:00Z"),
}
#: Objects whose keys are users' own.
FREE_FORM = frozenset({"metadata", "properties"})


def name_of(fact: dict[str, Any]) -> str:
    return f"{fact['area']} {fact['name']}"


def shape(value: object) -> object:
    """Return the types of a JSON value."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return "null" if value is None else type(value).__name__


def assert_covers(recorded: object, answered: object, where: str) -> None:
    """Every recorded key is there with its type; more keys are allowed."""
    if isinstance(recorded, dict):
        assert isinstance(answered, dict), where
        for key, item in recorded.items():
            assert key in answered, f"{where}.{key} is missing"
            if key not in FREE_FORM:
                assert_covers(item, answered[key], f"{where}.{key}")
    elif isinstance(recorded, list):
        assert isinstance(answered, list), where
        if recorded and answered:
            assert_covers(recorded[0], answered[0], f"{where}[]")
    else:
        assert answered == recorded, f"{where}: {answered} instead of {recorded}"


def test_every_recorded_call_is_repeated() -> None:
    assert set(CALLS) == {name_of(fact) for fact in FACTS}
    assert set(DIFFERENCES) <= set(CALLS)


@pytest.mark.parametrize("fact", FACTS, ids=name_of)
def test_answer_is_as_recorded(world: World, fact: dict[str, Any]) -> None:
    response = CALLS[name_of(fact)](world)
    assert response.status_code == STATUSES.get(name_of(fact), fact["status"])
    assert response["Content-Type"] == fact["content_type"]
    assert set(fact.get("headers", [])) <= {name.lower() for name in response.headers}
    if "body" in fact and name_of(fact) not in DIFFERENCES:
        assert_covers(fact["body"], shape(response.json()), "body")
    if "body" not in fact:
        assert response.content == b""
