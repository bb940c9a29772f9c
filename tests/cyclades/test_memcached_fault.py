"""memcached restarted or down: requests are answered all the same, and no server loses its secrets unseen."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest
from django.apps import apps

from astakos import public as astakos
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import server_events, vmapi
from cyclades.models import JobIntent, Server, ServerState
from synnefo import crypto
from tests.cyclades.ganeti_fixtures import op_event
from tests.lab.memcached import Memcached

pytestmark = [pytest.mark.fault, pytest.mark.db, pytest.mark.django_db]

PASSWORD = "Sup3rSecretWord"
#: What a request may take longer than usual.
SLOWDOWN_SECONDS = 60


@pytest.fixture
def cache_server(memcached: Memcached, settings) -> Iterator[Memcached]:
    backend = "synnefo.cache.memcached.MemcachedCache"
    # A client that noticed a failure believes in it for a while; the next test must not wait.
    settings.CACHES = {
        "default": {
            "BACKEND": backend,
            "LOCATION": memcached.address,
            "OPTIONS": {"dead_retry": 0, "socket_timeout": 20},
        }
    }
    yield memcached
    memcached.restart()


def answers(client, person) -> dict[str, int]:
    """Ask everything that reads or writes the cache, and say how it was answered and how slowly."""
    token = {"headers": {"X-Auth-Token": person.api.token}}
    identity = {"auth": {"token": {"id": person.api.token}}}
    started = time.monotonic()
    statuses = {
        "catalog": client.post(
            "/astakos/identity/v2.0/tokens", identity, content_type="application/json"
        ).status_code,
        "resources": client.get("/astakos/account/v1.0/resources", **token).status_code,
        "quotas": client.get("/astakos/account/v1.0/quotas", **token).status_code,
        "servers": person.api.get("servers/detail").status_code,
        "objects": client.get(f"/pithos/object-store/v1/{person.uuid}", **token).status_code,
        "ready": client.get("/readyz").status_code,
    }
    assert time.monotonic() - started < SLOWDOWN_SECONDS
    return statuses


def create(person, body) -> str:
    """Create a server and return where its node gets the configuration."""
    response = person.api.post("servers", {"server": body | {"adminPass": PASSWORD}})
    assert response.status_code == 202
    key = crypto.decrypt(JobIntent.objects.get().payload["vmapi"], vmapi.KEY_PURPOSE)
    return f"/cyclades/vmapi/v1.0/server-params/{key}"


def assert_nothing_holds(secret: str, logged: str) -> None:
    assert secret not in logged
    for model in apps.get_models():
        for row in model._default_manager.values():
            assert secret not in repr(row), model


def test_requests_are_answered_while_memcached_restarts_and_is_down(cache_server, client, person):
    usual = answers(client, person)
    assert set(usual.values()) <= {200, 204}
    cache_server.restart()
    assert answers(client, person) == usual
    cache_server.kill()
    assert answers(client, person) == usual
    assert client.get("/readyz").json()["checks"] == {"database": "ok", "cache": "failing"}
    cache_server.restart()
    assert answers(client, person) == usual
    assert client.get("/readyz").json()["checks"] == {"database": "ok", "cache": "ok"}


def test_without_memcached_no_server_is_begun_that_could_not_be_configured(
    cache_server, person, backend, create_body
):
    cache_server.kill()
    response = person.api.post("servers", {"server": create_body | {"adminPass": PASSWORD}})
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert not Server.objects.exists()
    assert person.usage("cyclades.vm") == (0, 0)
    cache_server.restart()
    assert person.api.post("servers", {"server": create_body}).status_code == 202


def test_a_node_is_told_to_ask_again_while_memcached_is_down(
    cache_server, client, person, backend, create_body
):
    path = create(person, create_body)
    cache_server.kill()
    response = client.get(path)
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0


def test_a_lost_configuration_fails_the_build_and_leaks_nothing(
    cache_server, client, person, backend, create_body, caplog
):
    caplog.set_level(logging.DEBUG)
    path = create(person, create_body)
    cache_server.restart()
    lost = client.get(path)
    assert lost.status_code == 404
    server = Server.objects.select_related("flavor", "backend").get()
    assert server_events.apply(server, op_event(server, Opcode.INSTANCE_CREATE, "error"))
    shown = person.api.get(f"servers/{server.pk}")
    assert shown.json()["server"]["status"] == "ERROR"
    assert Server.objects.get().operstate == ServerState.ERROR
    # A failed server is charged until its owner removes it; nothing waits for a job any more.
    assert person.usage("cyclades.vm") == (1, 0)
    assert astakos.pending_commissions(clientkey="cyclades") == []
    assert PASSWORD not in lost.content.decode() + shown.content.decode()
    assert person.api.get(f"servers/{server.pk}/password").status_code == 404
    assert_nothing_holds(PASSWORD, caplog.text)
