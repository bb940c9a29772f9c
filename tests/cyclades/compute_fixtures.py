"""Users with quota, a backend, flavors, an image and servers for the tests of the compute service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.core.cache import cache
from django.test import Client

from astakos import public as astakos
from cyclades.ganeti import clients, jobs
from cyclades.logic import images
from cyclades.logic.registration import COMPONENT, service_definitions
from cyclades.models import Backend, Flavor, Server, ServerState, VolumeType
from synnefo import clock
from synnefo.credentials import Credentials
from tests.remembered import remembered

IMAGE_ID = "8f0b7f2e-3b1d-4b5f-9c9e-0d6f6f1f2a11"
GIB = 1 << 30
QUOTA = {
    "cyclades.vm": 10,
    "cyclades.total_cpu": 1000,
    "cyclades.cpu": 1000,
    "cyclades.disk": 10000 * GIB,
    "cyclades.total_ram": 1000 * GIB,
    "cyclades.ram": 1000 * GIB,
    "cyclades.network.private": 10,
    "cyclades.floating_ip": 10,
}


@dataclass(frozen=True)
class ComputeApi:
    """A client of the compute root that sends one token."""

    client: Client
    token: str | None = None

    def call(self, method: str, path: str, body: object = None, **extra: object):
        headers = dict(extra.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("X-Auth-Token", self.token)
        if body is not None:
            extra.setdefault("content_type", "application/json")
            extra["data"] = body if isinstance(body, str | bytes) else json.dumps(body)
        return self.client.generic(method, f"/cyclades/compute/{path}", headers=headers, **extra)

    def get(self, path: str, **extra: object):
        return self.call("GET", f"v2.0/{path}", **extra)

    def post(self, path: str, body: object = None, **extra: object):
        return self.call("POST", f"v2.0/{path}", body, **extra)

    def put(self, path: str, body: object = None, **extra: object):
        return self.call("PUT", f"v2.0/{path}", body, **extra)

    def delete(self, path: str, **extra: object):
        return self.call("DELETE", f"v2.0/{path}", **extra)

    def act(self, server: Server, **action: object):
        return self.post(f"servers/{server.pk}/action", action)


@dataclass(frozen=True)
class Person:
    """A user with quota and the client that acts for them."""

    uuid: str
    api: ComputeApi

    @property
    def credentials(self) -> Credentials:
        assert self.api.token is not None
        return astakos.authenticate(self.api.token)

    def usage(self, resource: str) -> tuple[int, int]:
        """Return usage and what is pending of the user's holding in their system project."""
        holding = holding_of(self.uuid, resource)
        return holding.usage, holding.pending


@dataclass(frozen=True)
class HoldingState:
    usage: int
    pending: int


def holding_of(user: str, resource: str) -> HoldingState:
    for quota in astakos.service_quotas(resources=[resource], users=[user], projects=[user]):
        return HoldingState(quota.usage, quota.pending)
    raise AssertionError(f"no holding of {resource}")


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def cyclades_component(db) -> str:
    """Cyclades registered with the quota that users created from now on get."""
    return remembered(_register, "cyclades with quota")


def _register() -> str:
    from astakos.models import Resource

    token = astakos.register_component(
        name=COMPONENT,
        base_url="http://testserver/cyclades",
        ui_url="http://testserver/cyclades/ui",
        services=service_definitions(),
    )
    for name, limit in QUOTA.items():
        Resource.objects.filter(name=name).update(uplimit=limit)
    return token


@pytest.fixture
def make_person(cyclades_component: str, client: Client) -> Callable[..., Person]:
    def make(email: str = "maria@lab.example") -> Person:
        created = remembered(
            lambda: astakos.create_user(email=email, password="a-password", first_name="M", last_name="D"),
            "person",
            email,
        )
        return Person(created.uuid, ComputeApi(client, created.token))

    return make


@pytest.fixture
def person(make_person: Callable[..., Person]) -> Person:
    return make_person()


@pytest.fixture
def stranger(make_person: Callable[..., Person]) -> Person:
    return make_person("other@lab.example")


@pytest.fixture
def anonymous(client: Client) -> ComputeApi:
    return ComputeApi(client)


@pytest.fixture
def backend(db) -> Backend:
    # SQLite gives ids again: a cluster that did not answer an earlier test would be this one.
    clients.forget_all()
    return Backend.objects.create(
        clustername="cluster.example",
        disk_templates=["plain", "drbd", "ext"],
        updated=clock.now(),
        mfree=1 << 20,
        mtotal=1 << 20,
        dfree=1 << 24,
        dtotal=1 << 24,
    )


@pytest.fixture
def volume_type(db) -> VolumeType:
    return VolumeType.objects.create(name="drbd", disk_template="drbd")


@pytest.fixture
def flavor(volume_type: VolumeType) -> Flavor:
    return Flavor.objects.create(cpu=2, ram=1024, disk=20, volume_type=volume_type)


@pytest.fixture
def bigger_flavor(volume_type: VolumeType) -> Flavor:
    return Flavor.objects.create(cpu=4, ram=4096, disk=20, volume_type=volume_type)


SAMPLE_IMAGE = images.Image(
    id=IMAGE_ID,
    version=7,
    name="Debian",
    status="AVAILABLE",
    owner="owner",
    location="pithos://owner/images/debian",
    mapfile="a-map",
    size=2 * GIB,
    disk_format="diskdump",
    properties={"os": "debian", "users": "root"},
    is_snapshot=False,
)


@pytest.fixture
def image(monkeypatch: pytest.MonkeyPatch) -> images.Image:
    """An image that everybody can read, without an object store behind it."""
    from synnefo.errors import NotFound

    def get_image(credentials: Credentials, image_id: str) -> images.Image:
        if image_id != IMAGE_ID:
            raise NotFound("Image not found.")
        return SAMPLE_IMAGE

    monkeypatch.setattr(images, "get_image", get_image)
    monkeypatch.setattr(images, "protect", lambda image: None)
    return SAMPLE_IMAGE


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Intents that would have been submitted to Ganeti."""
    sent: list[int] = []
    monkeypatch.setattr(jobs, "_submit_after_commit", lambda intent_id, _backend_id: sent.append(intent_id))
    return sent


@pytest.fixture
def make_server(person: Person, backend: Backend, flavor: Flavor) -> Callable[..., Server]:
    """Servers as rows only: started, idle, of *person*, unless told otherwise."""

    def make(**values: object) -> Server:
        row: dict[str, object] = {
            "name": "web",
            "userid": person.uuid,
            "project": person.uuid,
            "backend": backend,
            "imageid": IMAGE_ID,
            "flavor": flavor,
            "operstate": ServerState.STARTED,
            **values,
        }
        return Server.objects.create(**row)

    return make


@pytest.fixture
def create_body(flavor: Flavor, image: images.Image) -> dict[str, object]:
    """The smallest body that creates a server."""
    return {"name": "web1", "imageRef": image.id, "flavorRef": flavor.pk, "networks": []}
