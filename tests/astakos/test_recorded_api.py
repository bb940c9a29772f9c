"""Our answers against facts recorded from the original: status, type, headers, keys and their types.

``tests/data/astakos_recorded.json`` holds one fact a line. What we add is not compared; what we answer
otherwise is in ``DIFFERENCES`` with its reason.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from astakos import public
from astakos.models import Holding
from astakos.public import ResourceDefinition, ServiceDefinition
from tests.astakos.conftest import BASE_URL, UI_URL, Api, MakeUser, Person

pytestmark = [pytest.mark.db, pytest.mark.django_db]

FACTS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "astakos_recorded.json").read_text(encoding="utf-8")
)
FAULT = {"code": "integer", "message": "string", "details": "string"}
PROVISION = {"holder": "string", "source": "string", "resource": "string", "quantity": "integer"}

#: Fact id -> (what we answer instead, why).
DIFFERENCES: dict[str, tuple[dict[str, Any], str]] = {
    "tokens-list-body": (
        {"status": 400, "shape": {"badRequest": FAULT}},
        "a body that is no object is the client's mistake; the original crashed",
    ),
    "tenants": (
        {"status": 200, "shape": {"tenants": [{"id": "string", "name": "string"}], "tenants_links": []}},
        "generic OpenStack tools ask for it",
    ),
    "commission-noholding": (
        {
            "shape": {
                "itemNotFound": {
                    "code": "integer",
                    "message": "string",
                    "data": {"name": "string", "provision": PROVISION},
                }
            }
        },
        "the original's limit and usage were left over from an earlier failure",
    ),
}


class World:
    """The state the facts were recorded in, and the names that stand for its ids."""

    def __init__(self, client: Client, make_user: MakeUser) -> None:
        storage = ServiceDefinition(
            name="pithos_object-store",
            type="object-store",
            prefix="object-store",
            endpoints=({"versionId": "v1"},),
            resources=(ResourceDefinition("pithos.diskspace", "Disk space", "bytes"),),
        )
        urls = {"base_url": BASE_URL, "ui_url": UI_URL}
        service = public.register_component(name="pithos", services=[storage], **urls)
        other = public.register_component(name="other", services=[], **urls)
        user, stranger = make_user("alice@lab.example"), make_user("bob@lab.example")
        self.clients = {
            "user": user.api,
            "service": Api(client, service),
            "other": Api(client, other),
            "bad": Api(client, "bad"),
            None: Api(client),
        }
        charge = public.charge(user.uuid, user.uuid, {"pithos.diskspace": 2 * 10**12})
        public.issue_commission(clientkey="pithos", name="", provisions=charge, force=True, auto_accept=True)
        Holding.objects.update(limit=10**13)
        releases = public.charge(user.uuid, user.uuid, {"pithos.diskspace": -1})
        self.names = {
            "token": user.token,
            "user": user.uuid,
            "stranger": stranger.uuid,
            "email": "bob@lab.example",
        }
        for name in ("first", "second", "third"):
            serial = public.issue_commission(clientkey="pithos", name=name, provisions=releases)
            self.names[name] = str(serial)

    def filled(self, text: str) -> str:
        """Return *text* with the placeholders replaced."""
        for name, value in self.names.items():
            text = text.replace("{" + name + "}", value)
        return text


@pytest.fixture(scope="module")
def world(kept: None) -> World:
    """The same state for all facts; each takes back what it changed."""
    client = Client()

    def make_user(email: str) -> Person:
        made = public.create_user(email=email, password="a-password", first_name="Maria", last_name="Doe")
        return Person(made.uuid, made.token, Api(client, made.token))

    return World(client, make_user)


@pytest.mark.parametrize("fact", FACTS, ids=[fact["id"] for fact in FACTS])
def test_answer_agrees_with_the_recorded_one(db: None, world: World, fact: dict[str, Any]) -> None:
    expected = {**fact, **DIFFERENCES.get(fact["id"], ({}, ""))[0]}
    headers = {"Accept": fact["accept"]} if "accept" in fact else {}
    response = world.clients[fact.get("token")].call(
        fact["method"],
        world.filled(fact["path"]),
        world.filled(fact["body"]) if "body" in fact else None,
        content_type=fact.get("request_type", ""),
        headers=headers,
    )
    assert response.status_code == expected["status"], response.content
    assert response["Content-Type"] == expected["type"]
    assert response["Vary"] == "X-Auth-Token, Accept-Language"
    assert response.get("Allow") == expected.get("allow")
    assert_same_body(response.content, expected["shape"])


def assert_same_body(content: bytes, shape: Any) -> None:
    if shape is None:
        assert content == b""
    elif shape == "xml":
        assert content.startswith(b"<?xml")
    else:
        assert_shape(json.loads(content), shape)


def assert_shape(value: Any, shape: Any) -> None:
    """Check that *value* has every key of *shape*, with values of the recorded types."""
    if isinstance(shape, dict):
        assert isinstance(value, dict)
        for key, inner in shape.items():
            for item in value.values() if key == "*" else [value[key]]:
                assert_shape(item, inner)
    elif isinstance(shape, list):
        assert isinstance(value, list)
        if shape:
            assert value
            assert_shape(value[0], shape[0])
    else:
        assert shape in ("any", type_name(value))


def type_name(value: Any) -> str:
    names = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}
    return names[type(value)]


def test_every_difference_names_a_fact() -> None:
    assert set(DIFFERENCES) <= {fact["id"] for fact in FACTS}
