"""Users with disk space, and a client that speaks the object storage dialect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.http import HttpResponse
from django.test import Client, override_settings

from astakos import public as astakos
from astakos.models import Resource
from pithos.hashing import block_digest
from pithos.public import service_definitions
from tests.pithos.ceph_fixtures import ceph, rados_cluster, rados_settings, rados_store  # noqa: F401
from tests.remembered import remembered

ROOT = "/pithos/object-store/v1"
GIB = 1 << 30


def body_of(response: HttpResponse) -> bytes:
    """The whole body, streamed or not."""
    if getattr(response, "streaming", False):
        return b"".join(response)
    return response.content


@dataclass
class Person:
    """A user and what he can send to his own account (or another's, by ``account``)."""

    uuid: str
    token: str
    client: Client = field(default_factory=lambda: Client(raise_request_exception=True))

    def call(
        self,
        method: str,
        path: str = "",
        data: bytes = b"",
        *,
        account: str | None = None,
        token: str | None = None,
        type: str = "application/octet-stream",
        query: str = "",
        **headers: str,
    ) -> HttpResponse:
        url = f"{ROOT}/{account or self.uuid}/{quote(path)}" if path else f"{ROOT}/{account or self.uuid}"
        environ = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        environ["HTTP_X_AUTH_TOKEN"] = token or self.token
        # The test client leaves both out when there is no body; real clients send them.
        environ |= {"CONTENT_LENGTH": str(len(data)), "CONTENT_TYPE": type}
        if query:
            url += f"?{query}"
        return self.client.generic(method, url, data, **environ)

    def put(self, path: str, data: bytes = b"", **options: Any) -> HttpResponse:
        return self.call("PUT", path, data, **options)

    def get(self, path: str = "", **options: Any) -> HttpResponse:
        return self.call("GET", path, **options)

    def head(self, path: str = "", **options: Any) -> HttpResponse:
        return self.call("HEAD", path, **options)

    def post(self, path: str = "", data: bytes = b"", **options: Any) -> HttpResponse:
        return self.call("POST", path, data, **options)

    def delete(self, path: str, **options: Any) -> HttpResponse:
        return self.call("DELETE", path, **options)

    def read(self, path: str, **options: Any) -> bytes:
        return body_of(self.get(path, **options))

    def names(self, path: str, query: str = "", **options: Any) -> list[str]:
        response = self.get(path, query=f"format=json&{query}", **options)
        assert response.status_code == 200, response.content
        return [item.get("name") or item["subdir"] for item in json.loads(response.content)]

    def put_hashmap(self, path: str, data: bytes, block_size: int, **options: Any) -> HttpResponse:
        blocks = [data[i : i + block_size] for i in range(0, len(data), block_size)]
        hashmap = {"bytes": len(data), "hashes": [block_digest(block).hex() for block in blocks]}
        return self.put(path, json.dumps(hashmap).encode(), query="hashmap&format=json", **options)

    def usage(self) -> int:
        rows = astakos.service_quotas(users=[self.uuid], resources=["pithos.diskspace"])
        return sum(row.usage for row in rows)


@pytest.fixture
def registered(db) -> None:
    remembered(_register, "object storage with room")


def _register() -> None:
    astakos.register_component(
        name="pithos",
        base_url="http://testserver/pithos",
        ui_url="http://testserver/ui",
        services=service_definitions(),
    )
    Resource.objects.filter(name="pithos.diskspace").update(uplimit=GIB)


@pytest.fixture
def make_user(registered) -> Callable[..., Person]:
    def make(name: str) -> Person:
        created = remembered(
            lambda: astakos.create_user(
                email=f"{name}@lab.example", password="a-password", first_name=name, last_name="Doe"
            ),
            "user",
            name,
        )
        return Person(created.uuid, created.token)

    return make


@pytest.fixture(scope="module")
def kept_blocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A block store that all tests of a module share: its ``blocks`` returns this one."""
    root = tmp_path_factory.mktemp("blocks")
    with override_settings(PITHOS_BACKEND_BLOCK_PATH=str(root), PITHOS_BACKEND_BLOCK_FSYNC="never"):
        yield root / "blocks"


@pytest.fixture(scope="module")
def kept_people(kept: None) -> list[Person]:
    """Two users that all tests of a module share; what the tests do is undone."""
    astakos.register_component(
        name="pithos",
        base_url="http://testserver/pithos",
        ui_url="http://testserver/ui",
        services=service_definitions(),
    )
    Resource.objects.filter(name="pithos.diskspace").update(uplimit=GIB)
    made = [
        astakos.create_user(
            email=f"{name}@kept.example", password="a-password", first_name=name, last_name="Doe"
        )
        for name in ("alice", "bob")
    ]
    return [Person(user.uuid, user.token) for user in made]


@pytest.fixture
def maria(make_user) -> Person:
    """A user with an empty container ``docs``."""
    return _with_container(make_user("maria"), "docs")


@pytest.fixture
def nikos(make_user) -> Person:
    """Another user with a container of his own."""
    return _with_container(make_user("nikos"), "own")


def _with_container(person: Person, name: str) -> Person:
    def put() -> None:
        assert person.put(name).status_code == 201

    remembered(put, "container", person.uuid, name)
    return person


@pytest.fixture(autouse=True)
def blocks(settings, tmp_path: Path) -> Path:
    """A block store of its own for every test."""
    settings.PITHOS_BACKEND_BLOCK_PATH = str(tmp_path / "blocks")
    settings.PITHOS_BACKEND_BLOCK_FSYNC = "never"
    return tmp_path / "blocks" / "blocks"


@pytest.fixture
def small_blocks(settings) -> int:
    """Blocks of 8 bytes, so that a short text has many."""
    settings.PITHOS_BACKEND_BLOCK_SIZE = 8
    return 8
