"""One of everything that the network and image services have, with its owner and somebody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client, override_settings

from astakos import public as astakos
from cyclades.logic import floating_ips, networks, ports, subnets, value_pools
from cyclades.logic.registration import COMPONENT, service_definitions
from cyclades.models import IPAddress, Network
from synnefo.credentials import Credentials
from tests.cyclades.compute_fixtures import QUOTA
from tests.cyclades.image_fixtures import ImageUser, new_image_user, register_store, store_settings
from tests.cyclades.network_fixtures import make_public, subnet_of


class World:
    """One of everything, owned by ``owner``; ``member`` shares the owner's project, ``other`` nothing."""

    def __init__(self, make_user: Callable[[str], ImageUser]) -> None:
        astakos.register_component(
            name=COMPONENT,
            base_url="http://testserver/cyclades",
            ui_url="http://testserver/ui",
            services=service_definitions(),
        )
        from astakos.models import Resource

        for name, limit in QUOTA.items():
            Resource.objects.filter(name=name).update(uplimit=limit)
        administrator = Credentials.administrator()
        value_pools.create(administrator, kind=value_pools.MAC_PREFIX, size=64, base="aa:00:0", offset=None)
        self.owner, self.other = make_user("olga"), make_user("oscar")
        acting = astakos.authenticate(self.owner.token)
        self.public = make_public("203.0.113.0/24")
        self.network = networks.create(acting, flavor_name="MAC_FILTERED", name="lab")
        request = subnets.SubnetRequest(cidr="10.20.30.0/24")
        self.subnet = subnets.create(acting, network_id=self.network.pk, request=request)
        self.port = ports.create(acting, request=ports.PortRequest(network_id=self.network.pk))
        self.ip = floating_ips.create(acting)
        self.image = self.owner.register(self.owner.upload("debian"))["x-image-meta-id"]

    def share(self) -> None:
        """Share everything with the project of ``other``."""
        for model in (Network, IPAddress):
            model.objects.exclude(userid=None).update(shared_to_project=True, project=self.other.uuid)
        self.owner.api("PUT", f"images/{self.image}/members/{self.other.uuid}")

    def path(self, template: str) -> str:
        return template.format(
            network=self.network.pk,
            public=self.public.pk,
            subnet=self.subnet.pk,
            public_subnet=subnet_of(self.public).pk,
            port=self.port.pk,
            ip=self.ip.pk,
            image=self.image,
            member=self.other.uuid,
        )


@pytest.fixture(scope="module")
def world(kept: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world of a module; what a test changes in it is undone."""
    folder = tmp_path_factory.mktemp("world")
    with override_settings(**store_settings(folder)):
        register_store()
        yield World(lambda name: new_image_user(Client(), name))
