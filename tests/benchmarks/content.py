"""What the measured site holds: a user with large quota, 1,000 servers, a container of 10,000 objects.

Runs as a program with the site's settings and prints the user's credentials as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django
from django.core.management import call_command

SERVERS = 1000
OBJECTS = 10_000
HOLDINGS = 200
LISTED = "listed"


def _servers(user: str) -> None:
    from cyclades.models import Backend, Flavor, IPAddress, Network, Port, Server, Subnet, Volume, VolumeType
    from synnefo import clock

    backend = Backend.objects.create(clustername="cluster.example", updated=clock.now(), offline=True)
    kind = VolumeType.objects.create(name="plain", disk_template="plain")
    flavor = Flavor.objects.create(cpu=1, ram=512, disk=10, volume_type=kind)
    network = Network.objects.create(
        name="n", flavor="CUSTOM", mac_prefix="aa:00:0", userid=user, project=user, state="ACTIVE"
    )
    subnet = Subnet.objects.create(network=network, ipversion=4, cidr="10.0.0.0/16")
    common: dict[str, Any] = {"userid": user, "project": user}
    servers = Server.objects.bulk_create(
        Server(name=f"s{n}", backend=backend, flavor=flavor, imageid="i", operstate="STARTED", **common)
        for n in range(SERVERS)
    )
    ports = Port.objects.bulk_create(
        Port(machine=server, network=network, userid=user, state="ACTIVE") for server in servers
    )
    IPAddress.objects.bulk_create(
        IPAddress(
            subnet=subnet, network=network, nic=port, address=f"10.0.{n // 250}.{n % 250 + 1}", ipversion=4
        )
        for n, port in enumerate(ports)
    )
    Volume.objects.bulk_create(
        Volume(machine=server, size=10, volume_type=kind, index=0, status="IN_USE", **common)
        for server in servers
    )


def _objects(user: str, name: str, count: int) -> None:
    """Make a container of so many empty objects, or fill one, as uploads would have left it."""
    from django.db.models import F

    from pithos.hashing import empty_digest
    from pithos.logic import nodes, versions
    from pithos.models import Node, Statistics, Version
    from synnefo import clock

    account = nodes.ensure_account(user)
    container = nodes.create_container(account, name, muser=user) or nodes.get_container(user, name)
    children = Node.objects.bulk_create(
        (Node(parent=container, name=f"o{number:06d}") for number in range(count)), batch_size=2000
    )
    state = {
        "hash": empty_digest().hex(),
        "type": "application/octet-stream",
        "mtime": clock.now(),
        "muser": user,
    }
    Version.objects.bulk_create(
        (Version(node=child, uuid=versions.new_uuid(), **state) for child in children), batch_size=2000
    )
    Statistics.objects.filter(pk=container.pk).update(current_count=F("current_count") + count)


def _holdings() -> None:
    """Make pairs of holdings, of a user in a project and of the project, that share no row."""
    from astakos.models import Holding

    limit = 1 << 60
    for number in range(HOLDINGS):
        project = f"project:spread-{number}"
        Holding.objects.bulk_create(
            [
                Holding(holder=f"user:spread-{number}", source=project, resource="cyclades.vm", limit=limit),
                Holding(holder=project, source=None, resource="cyclades.vm", limit=limit),
            ]
        )


def main(base_url: str, extent: str = "filled") -> None:
    """Make the tables and fill them, or make the user and services only (``bare``)."""
    django.setup()
    call_command("migrate", verbosity=0)
    from astakos import public as astakos
    from astakos.models import Resource
    from synnefo.demo.seed import register_services

    register_services(base_url)
    Resource.objects.update(uplimit=1 << 60)
    user = astakos.create_user(email="b@b.example", password="a-password", first_name="B", last_name="B")
    token = astakos.register_component(
        name="cyclades", base_url=f"{base_url}/cyclades", ui_url=f"{base_url}/ui",
        services=_definitions(),
    )  # fmt: skip
    if extent == "filled":
        _servers(user.uuid)
        _objects(user.uuid, LISTED, OBJECTS)
        _holdings()
    print(json.dumps({"uuid": user.uuid, "token": user.token, "component_token": token}))


def _definitions() -> Any:
    from cyclades.public import service_definitions

    return service_definitions()


def fill(user: str, container: str, count: str) -> None:
    """Fill a container of a user."""
    django.setup()
    _objects(user, container, int(count))


if __name__ == "__main__":
    fill(*sys.argv[2:]) if sys.argv[1] == "fill" else main(*sys.argv[1:])
