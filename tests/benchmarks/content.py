"""What the measured site holds: a user with large quota, 1,000 servers, a container of 10,000 objects.

Runs as a program with the site's settings and prints the user's credentials as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django

SERVERS = 1000


def _servers(user: str) -> None:
    from cyclades.models import Backend, Flavor, IPAddress, Network, Port, Server, Subnet, Volume, VolumeType
    from synnefo import clock

    backend = Backend.objects.create(clustername="cluster.example", updated=clock.now(), offline=True)
    kind = VolumeType.objects.create(name="plain", disk_template="plain")
    flavor = Flavor.objects.create(cpu=1, ram=512, disk=10, volume_type=kind)
    network = Network.objects.create(
        name="n", flavor="CUSTOM", mac_prefix="aa:00:0", public=True, state="ACTIVE"
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


def main(base_url: str) -> None:
    """Fill the database."""
    django.setup()
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
    _servers(user.uuid)
    print(json.dumps({"uuid": user.uuid, "token": user.token, "component_token": token}))


def _definitions() -> Any:
    from cyclades.public import service_definitions

    return service_definitions()


if __name__ == "__main__":
    main(sys.argv[1])
