"""Users, components and clients of the identity tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from astakos import public
from astakos.models import Resource, User
from astakos.public import ResourceDefinition, ServiceDefinition
from tests.remembered import remembered

UI_URL = "http://testserver/demo/ui"
BASE_URL = "http://testserver/demo"


@dataclass(frozen=True)
class Api:
    """A client that sends one token."""

    client: Client
    token: str | None = None

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> Any:
        """Send *body* (bytes and text as they are, anything else as JSON) and return the response."""
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("X-Auth-Token", self.token)
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        return self.client.generic(
            method,
            f"/astakos/{path}",
            "" if body is None else data,
            content_type=content_type,
            headers=sent,
            **extra,
        )

    def get(self, path: str, **extra: Any) -> Any:
        return self.call("GET", path, **extra)

    def post(self, path: str, body: object = None, **extra: Any) -> Any:
        return self.call("POST", path, body, **extra)


@dataclass(frozen=True)
class Person:
    """A user with the token in clear."""

    uuid: str
    token: str
    api: Api

    @property
    def row(self) -> User:
        return User.objects.get(uuid=self.uuid)


MakeUser = Callable[..., Person]


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def make_user(db: None, client: Client) -> MakeUser:
    def make(email: str = "maria@lab.example", **fields: Any) -> Person:
        values: dict[str, Any] = {
            "password": "a-password",
            "first_name": "Maria",
            "last_name": "Doe",
            **fields,
        }
        created = remembered(lambda: public.create_user(email=email, **values), "user", email, repr(values))
        return Person(created.uuid, created.token, Api(client, created.token))

    return make


@pytest.fixture
def user(make_user: MakeUser) -> Person:
    return make_user()


SERVICES = (
    ServiceDefinition(
        name="demo_compute",
        type="compute",
        prefix="compute",
        endpoints=({"versionId": "v2.0"},),
        resources=(
            ResourceDefinition("demo.vm", "Servers"),
            ResourceDefinition("demo.ram", "Memory", "bytes"),
            ResourceDefinition("demo.hidden", "Hidden", ui_visible=False, api_visible=False),
        ),
    ),
    ServiceDefinition(
        name="demo_network",
        type="network",
        prefix="network",
        endpoints=({"versionId": "v2.0", "SNF:exposeVersion": False},),
    ),
    ServiceDefinition(
        name="demo_ui", type="demo_ui", prefix="ui", public=False, endpoints=({"versionId": ""},)
    ),
)


def demo_component() -> str:
    """Register ``demo``, with 4 servers and 1000 bytes for users created from now on; return its token."""
    token = public.register_component(name="demo", base_url=BASE_URL, ui_url=UI_URL, services=SERVICES)
    Resource.objects.filter(name="demo.vm").update(uplimit=4)
    Resource.objects.filter(name="demo.ram").update(uplimit=1000)
    return token


@pytest.fixture
def service(db: None, client: Client) -> Api:
    """The component ``demo`` as a caller."""
    return Api(client, remembered(demo_component, "demo"))


@pytest.fixture
def anonymous(client: Client) -> Api:
    return Api(client)
