"""Consoles through the API: who gets one, and what is asked of Ganeti and the proxy (compute contract 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cyclades.console.forwarding import Forwarding, ForwardingRefused, ProxyUnavailable
from cyclades.ganeti import clients, names
from cyclades.logic import console
from cyclades.models import Server, ServerState, Task
from synnefo.models import AuditRecord
from tests import recorded
from tests.cyclades.ganeti_fixtures import FakeCluster

pytestmark = [pytest.mark.db, pytest.mark.django_db]


class FakeProxy:
    """What the proxy was asked, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: Forwarding | Exception = Forwarding("vnc.example", 25317)
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, proxy: Any, **request: Any) -> Forwarding:
        self.asked.append(request)
        self.meanwhile()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> FakeProxy:
    fake = FakeProxy()
    monkeypatch.setattr(console, "request_forwarding", fake)
    return fake


@pytest.fixture
def server(make_server: Callable[..., Server], cluster: FakeCluster) -> Server:
    server = make_server(name="web & <more>")
    cluster.instances[names.instance_name(server.pk)] = {
        "pnode": "node1.example",
        "network_port": 11004,
        "oper_state": True,
        "hvparams": {"serial_console": False},
    }
    return server


def instance(cluster: FakeCluster, server: Server) -> dict[str, Any]:
    return cluster.instances[names.instance_name(server.pk)]


@pytest.mark.parametrize("kind", ["vnc", "vnc-ws", "vnc-wss"])
def test_a_running_server_has_a_console(person, server, proxy, kind: str) -> None:
    answer = person.api.act(server, console={"type": kind})
    assert answer.status_code == 200
    shown = answer.json()["console"]
    asked = proxy.asked[0]
    assert len(shown["password"]) == 10
    assert asked == {"destination": ("node1.example", 11004), "password": shown["password"], "kind": kind}
    assert shown == {"type": kind, "host": "vnc.example", "port": 25317, "password": asked["password"]}


def test_the_trail_names_the_console_and_not_its_password(person, server, proxy) -> None:
    shown = person.api.act(server, console={"type": "vnc"}).json()["console"]
    row = AuditRecord.objects.get(action="server.console")
    assert (row.target, row.details) == (f"server:{server.pk}", {"type": "vnc"})
    assert shown["password"] not in str(row.details)


@pytest.mark.parametrize("arguments", [{}, {"type": "spice"}, {"type": None}, {"type": 7}, {"type": "novnc"}])
def test_other_types_are_refused(person, server, proxy, arguments: dict[str, Any]) -> None:
    assert person.api.act(server, console=arguments).status_code == 400
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"operstate": ServerState.STOPPED}, 400),
        ({"operstate": ServerState.ERROR}, 400),
        ({"operstate": ServerState.BUILD, "task": Task.BUILD}, 400),
        ({"deleted": True}, 400),
        ({"suspended": True}, 403),
    ],
)
def test_states_without_a_console(person, server, proxy, values: dict[str, Any], status: int) -> None:
    Server.objects.filter(pk=server.pk).update(**values)
    assert person.api.act(server, console={"type": "vnc"}).status_code == status
    assert proxy.asked == []


def test_a_pending_task_does_not_matter(person, server, proxy) -> None:
    Server.objects.filter(pk=server.pk).update(task=Task.REBOOT, task_job_id=9)
    assert person.api.act(server, console={"type": "vnc"}).status_code == 200


def test_a_stranger_learns_nothing(stranger, server, proxy) -> None:
    assert stranger.api.act(server, console={"type": "vnc"}).status_code == 404
    assert proxy.asked == []


@pytest.mark.parametrize("gone", [False, True])
def test_a_server_that_stopped_by_itself_is_noted(person, server, cluster, proxy, gone: bool) -> None:
    instance(cluster, server)["oper_state"] = False
    if gone:
        cluster.instances.clear()
    answer = person.api.act(server, console={"type": "vnc"})
    assert answer.status_code == 400
    assert "not running" in answer.json()["badRequest"]["message"]
    server.refresh_from_db()
    assert server.operstate == ServerState.STOPPED
    assert server.backendjobid == 0
    # What it used while it ran is free again; the rows of this test were never charged.
    assert proxy.asked == []


def test_a_shutdown_is_not_made_up_while_a_task_is_pending(person, server, cluster, proxy) -> None:
    instance(cluster, server)["oper_state"] = False
    Server.objects.filter(pk=server.pk).update(task=Task.REBOOT, task_job_id=9)
    assert person.api.act(server, console={"type": "vnc"}).status_code == 400
    server.refresh_from_db()
    assert server.operstate == ServerState.STARTED


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"network_port": None}, 503),
        ({"pnode": None}, 503),
        ({"hvparams": {"serial_console": True}}, 500),
    ],
)
def test_hypervisors_without_a_screen(person, server, cluster, proxy, change: Any, status: int) -> None:
    instance(cluster, server).update(change)
    assert person.api.act(server, console={"type": "vnc"}).status_code == status
    assert proxy.asked == []


@pytest.mark.parametrize(
    "failure",
    [
        clients.RapiUnavailable("secret words"),
        clients.RapiUnknown("secret words"),
        clients.RapiRefused(401, "secret words"),
    ],
)
def test_a_cluster_that_does_not_answer(person, server, cluster, proxy, failure: Exception) -> None:
    cluster.failure = failure
    answer = person.api.act(server, console={"type": "vnc"})
    assert answer.status_code == 503
    assert "secret words" not in answer.content.decode()
    server.refresh_from_db()
    assert server.operstate == ServerState.STARTED


@pytest.mark.parametrize("failure", [ForwardingRefused("secret"), ProxyUnavailable("secret")])
def test_a_proxy_that_shows_nothing(person, server, proxy, failure: Exception) -> None:
    proxy.answer = failure
    answer = person.api.act(server, console={"type": "vnc"})
    assert answer.status_code == 503
    assert "secret" not in answer.content.decode()


def test_one_user_can_not_take_all_ports_of_the_proxy(person, server, proxy, settings) -> None:
    settings.CYCLADES_CONSOLES_PER_MINUTE = 0
    answer = person.api.act(server, console={"type": "vnc"})
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 60
    assert proxy.asked == []


def test_a_server_that_moved_meanwhile(person, server, cluster, proxy) -> None:
    proxy.meanwhile = lambda: instance(cluster, server).update(pnode="node2.example")
    assert person.api.act(server, console={"type": "vnc"}).status_code == 503


def test_a_setting_that_makes_no_sense_is_the_administrators_affair(person, server, settings) -> None:
    settings.CYCLADES_VNCAUTHPROXY_OPTS = [{"auth_password": "hush", "strict": True}]
    answer = person.api.act(server, console={"type": "vnc"})
    assert answer.status_code == 503
    assert "hush" not in answer.content.decode()


def test_nova_gets_the_address_of_a_page(person, server, proxy, settings, client) -> None:
    settings.CYCLADES_BASE_URL = "https://cloud.example/cyclades"
    shown = person.api.act(server, **{"os-getVNCConsole": {"type": "novnc"}}).json()["console"]
    assert shown["type"] == "novnc"
    address = urlsplit(shown["url"])
    assert address.path == "/cyclades/ui/machines/console"
    query, fragment = parse_qs(address.query), parse_qs(address.fragment)
    assert (query["host"], query["port"], query["machine"]) == (["vnc.example"], ["25317"], ["web & <more>"])
    assert fragment == {"password": [proxy.asked[0]["password"]]}
    assert proxy.asked[0]["kind"] == "vnc-wss"
    assert proxy.asked[0]["password"] not in address.query


def test_a_site_without_tls_has_consoles_without_tls(person, server, proxy, settings) -> None:
    settings.CYCLADES_BASE_URL = "http://127.0.0.1:8000/cyclades"
    person.api.act(server, **{"os-getVNCConsole": {"type": "novnc"}})
    assert proxy.asked[0]["kind"] == "vnc-ws"


def test_one_address_for_all_browsers(person, server, proxy) -> None:
    proxy.answer = Forwarding("vnc.example", 25317, "wss://console.example/vnc/a-ticket")
    url = urlsplit(person.api.act(server, **{"os-getVNCConsole": {"type": "novnc"}}).json()["console"]["url"])
    assert (parse_qs(url.query)["host"], parse_qs(url.query)["port"]) == (["console.example"], ["443"])
    assert parse_qs(url.fragment)["path"] == ["/vnc/a-ticket"]


def test_old_viewers_get_host_and_port(person, server, proxy) -> None:
    shown = person.api.act(server, **{"os-getVNCConsole": {"type": "xvpvnc"}}).json()["console"]
    assert shown == {"type": "xvpvnc", "url": f"vnc.example:25317?password={proxy.asked[0]['password']}"}
    assert proxy.asked[0]["kind"] == "vnc"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"remote_console": {"protocol": "vnc", "type": "novnc"}}, 200),
        ({"remote_console": {"protocol": "spice", "type": "spice-html5"}}, 501),
        ({"remote_console": {"protocol": "vnc", "type": "x"}}, 400),
        ({"remote_console": {"protocol": "x", "type": "novnc"}}, 400),
        ({"remote_console": {"type": "novnc"}}, 400),
        ({"remote_console": []}, 400),
        ({}, 400),
    ],
)
def test_remote_consoles(person, server, proxy, body: dict[str, Any], status: int) -> None:
    answer = person.api.post(f"servers/{server.pk}/remote-consoles", body)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["remote_console"].keys() == {"protocol", "type", "url"}


def test_a_stranger_has_no_remote_console(stranger, server, proxy) -> None:
    body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    assert stranger.api.post(f"servers/{server.pk}/remote-consoles", body).status_code == 404


# -- the page --------------------------------------------------------------------------------------


def page_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_the_page_may_connect_to_its_console_only(person, server, proxy, client) -> None:
    url = person.api.act(server, **{"os-getVNCConsole": {"type": "novnc"}}).json()["console"]["url"]
    answer = client.get(page_of(url))
    text = answer.content.decode()
    sources = dict(part.split(" ", 1) for part in answer["Content-Security-Policy"].split("; "))
    origin = f"{'wss' if proxy.asked[0]['kind'] == 'vnc-wss' else 'ws'}://vnc.example:25317"
    assert sources["connect-src"] == f"'self' {origin}"
    assert sources["script-src"] == "'self'"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer["Cache-Control"]
    assert f'data-origin="{origin}" data-signed' in text
    assert "web &amp; &lt;more&gt;" in text


def test_a_strangers_link_does_not_connect_by_itself(person, server, proxy, client) -> None:
    url = person.api.act(server, **{"os-getVNCConsole": {"type": "novnc"}}).json()["console"]["url"]
    text = client.get(page_of(url).replace("vnc.example", "evil.example")).content.decode()
    assert "evil.example:25317" in text
    assert "data-signed" not in text


@pytest.mark.parametrize(
    "query",
    [
        "",
        "host=a;b&port=1",
        "host=a b&port=1",
        "host=a&port=0",
        "host=a&port=99999",
        "host=a&port=%C2%B2",
        "host=%22onload=&port=1",
        "host=*&port=1",
        "host=fe80::1%25eth0&port=1",
    ],
)
def test_addresses_that_name_no_console(client, query: str) -> None:
    answer = client.get(f"/cyclades/ui/machines/console?{query}")
    assert answer.status_code == 200
    assert 'data-origin=""' in answer.content.decode()


def test_addresses_of_older_programs(client) -> None:
    query = "machine=m&machine_hostname=snf-1.example&host=::1&port=25000&password=hush"
    answer = client.get(f"/cyclades/ui/machines/console?{query}")
    text = answer.content.decode()
    assert 'data-origin="wss://[::1]:25000"' in text
    assert "snf-1.example" in text
    assert "hush" not in text


def test_answers_are_those_recorded(person, server, proxy, client) -> None:
    known = {"token": person.api.token, "server": server.pk}
    facts = recorded.load("console")
    assert {fact["id"]: recorded.play(client, fact, known) for fact in facts} == {
        fact["id"]: [] for fact in facts
    }
