"""Users with files in the object store, and a client of the image root."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.test import Client

from astakos import public as astakos
from pithos import public as pithos
from tests.remembered import remembered

STORE = "/pithos/object-store/v1"


@dataclass(frozen=True)
class ImageUser:
    """A user with a container ``images`` and a client for images, files and compute's view."""

    uuid: str
    token: str
    client: Client

    def call(self, method: str, url: str, data: object = b"", **options: object) -> HttpResponse:
        headers = {"X-Auth-Token": self.token, **options.pop("headers", {})}
        if not isinstance(data, str | bytes):
            data, options["content_type"] = json.dumps(data), "application/json"
        return self.client.generic(method, url, data, headers=headers, **options)

    def upload(self, path: str, data: bytes = b"an image") -> str:
        """Store a file below ``images`` and return its location."""
        response = self.call(
            "PUT", f"{STORE}/{self.uuid}/images/{path}", data, content_type="application/octet-stream"
        )
        assert response.status_code == 201, response.content
        return f"pithos://{self.uuid}/images/{path}"

    def api(self, method: str, path: str, data: object = b"", **headers: str) -> HttpResponse:
        """Call the image root; header names are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call(method, f"/cyclades/image/v1.0/{path}", data, headers=named)

    def register(self, location: str, name: str = "Debian", **fields: str) -> HttpResponse:
        """Register a file; fields are given without their prefix."""
        meta = {"name": name, "location": location, **fields}
        headers = {f"X-Image-Meta-{key.replace('_', '-')}": value for key, value in meta.items()}
        return self.call("POST", "/cyclades/image/v1.0/images/", headers=headers)

    def compute(self, method: str, path: str, data: object = b"") -> HttpResponse:
        """Call the compute root."""
        return self.call(method, f"/cyclades/compute/v2.0/{path}", data)


def store_settings(folder: Path) -> dict[str, str]:
    """Settings of an object store with its blocks below *folder*."""
    return {"PITHOS_BACKEND_BLOCK_PATH": str(folder / "blocks"), "PITHOS_BACKEND_BLOCK_FSYNC": "never"}


def register_store() -> None:
    """Register the object store, with room for everybody."""
    remembered(_register_store, "object store with room")


def _register_store() -> None:
    astakos.register_component(
        name="pithos",
        base_url="http://testserver/pithos",
        ui_url="http://testserver/ui",
        services=pithos.service_definitions(),
    )
    from astakos.models import Resource

    Resource.objects.filter(name="pithos.diskspace").update(uplimit=1 << 30)


def new_image_user(client: Client, name: str) -> ImageUser:
    """Create a user with an empty container."""

    def make() -> tuple[str, str]:
        created = astakos.create_user(
            email=f"{name}@lab.example", password="a-password", first_name=name, last_name="Doe"
        )
        user = ImageUser(created.uuid, created.token, client)
        assert user.call("PUT", f"{STORE}/{user.uuid}/images").status_code == 201
        return created.uuid, created.token

    return ImageUser(*remembered(make, "image user", name), client)


@pytest.fixture
def object_store(db: None, settings, tmp_path: Path) -> None:
    """The object store, registered, with blocks in a directory of this test."""
    for name, value in store_settings(tmp_path).items():
        setattr(settings, name, value)
    register_store()


@pytest.fixture
def make_image_user(object_store: None, client: Client) -> Callable[[str], ImageUser]:
    """Factory of users with an empty container."""
    return lambda name: new_image_user(client, name)


@pytest.fixture
def owner(make_image_user: Callable[[str], ImageUser]) -> ImageUser:
    """The owner of the images."""
    return make_image_user("owner")


@pytest.fixture
def reader(make_image_user: Callable[[str], ImageUser]) -> ImageUser:
    """Another user."""
    return make_image_user("reader")


@pytest.fixture
def registered_image(owner: ImageUser) -> str:
    """The id of a private image of the owner."""
    location = owner.upload("debian.diskdump")
    response = owner.register(location, property_OSFAMILY="linux", property_ROOT_PARTITION="1")
    assert response.status_code == 200, response.content
    return response["x-image-meta-id"]
