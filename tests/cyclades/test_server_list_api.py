"""Lists of servers: order, visibility, changes, pages, number of queries (compute contract 4)."""

from __future__ import annotations

import datetime as dt

import pytest

from cyclades.models import (
    JobIntent,
    Server,
    ServerDiagnostic,
    ServerMetadata,
    ServerResize,
    ServerState,
    ServerTag,
    Volume,
)
from synnefo import clock

pytestmark = pytest.mark.db


def ids(response) -> list[int]:
    return [server["id"] for server in response.json()["servers"]]


@pytest.mark.parametrize("path", ["servers", "servers/detail"])
def test_a_hundred_servers_take_at_most_six_queries(
    person, make_server, flavor, path, django_assert_max_num_queries
):
    servers = [make_server(name=f"s{i}") for i in range(100)]
    for server in servers:
        ServerMetadata.objects.create(server=server, meta_key="os", meta_value="debian")
        ServerTag.objects.create(server=server, tag="cyclades:user:blue", status="ACTIVE")
        ServerDiagnostic.objects.create(server=server, level="INFO", source="s", message="old")
        ServerDiagnostic.objects.create(server=server, level="INFO", source="s", message="new")
        Volume.objects.create(
            machine=server, userid=person.uuid, project=person.uuid, size=1, volume_type=flavor.volume_type
        )
    with django_assert_max_num_queries(6):
        response = person.api.get(path)
    listed = response.json()["servers"]
    assert [server["id"] for server in listed] == sorted(server.pk for server in servers)
    if path.endswith("detail"):
        assert listed[0]["metadata"] == {"os": "debian"}
        assert listed[0]["tags"] == ["blue"]
        assert [d["message"] for d in listed[0]["diagnostics"]] == ["new"]
        assert len(listed[0]["volumes"]) == 1


def test_deleted_and_foreign_servers_are_not_listed(person, stranger, make_server):
    own = make_server()
    make_server(deleted=True)
    make_server(userid=stranger.uuid, project=stranger.uuid)
    assert ids(person.api.get("servers")) == [own.pk]


def test_a_deleted_server_can_be_shown(person, make_server):
    server = person.api.get(f"servers/{make_server(deleted=True).pk}").json()["server"]
    assert (server["status"], server["deleted"]) == ("DELETED", True)


@pytest.mark.parametrize(
    "value",
    [
        "xyz",
        "2026-01-01T00:00:00",
        "2099-01-01T00:00:00Z",
        "2010-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
    ],
)
def test_bad_changes_since_is_400(person, value):
    assert person.api.get(f"servers?changes-since={value.replace('+', '%2B')}").status_code == 400


def test_nothing_changed_is_304_without_a_body(person, make_server):
    server = make_server()
    Server.objects.filter(pk=server.pk).update(updated=clock.now() - dt.timedelta(minutes=30))
    since = (clock.now() - dt.timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    response = person.api.get(f"servers/detail?changes-since={since}")
    assert (response.status_code, response.content) == (304, b"")


def test_changes_bring_deleted_servers(person, make_server):
    server = make_server(deleted=True)
    since = (clock.now() - dt.timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    listed = person.api.get(f"servers/detail?changes-since={since}").json()["servers"]
    assert [(s["id"], s["status"]) for s in listed] == [(server.pk, "DELETED")]


def test_pages_follow_their_marker_to_the_end(person, make_server):
    made = [make_server().pk for _ in range(5)]
    seen: list[int] = []
    path = "servers?limit=2"
    while path:
        response = person.api.get(path)
        seen += ids(response)
        links = response.json().get("servers_links")
        path = links[0]["href"].split("/v2.0/")[1] if links else ""
    assert seen == made


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=-1", "marker=x", "marker=99999", f"flavor={'9' * 40}"]
)
def test_bad_paging_is_400(person, query):
    assert person.api.get(f"servers?{query}").status_code == 400


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=WE", True), ("name=db", False), ("status=ACTIVE", True), ("status=SHUTOFF", False),
        ("status=NOWHERE", False), ("flavor=0", False), ("image=x", False), ("all_tenants=1", True),
    ],
)  # fmt: skip
def test_filters(person, make_server, query, found):
    make_server(name="web")
    assert bool(ids(person.api.get(f"servers?{query}"))) is found


@pytest.mark.parametrize(("root", "count"), [("v2.0/", 6), ("v2.1/", 11)])
def test_every_status_finds_the_servers_that_show_it(person, make_server, flavor, bigger_flavor, root, count):
    def resized(**values: bool) -> ServerResize:
        return ServerResize.objects.create(old_flavor=flavor, flavor=bigger_flavor, **values)

    opcode = "OP_INSTANCE_REBOOT"
    for state in (ServerState.STARTED, ServerState.STOPPED, ServerState.ERROR, ServerState.BUILD):
        for values in (
            {}, {"task": "REBOOT"}, {"task": "RESIZE"}, {"rescue": True}, {"resize": resized(settled=True)},
            {"resize": resized(reverting=True)}, {"resize": resized(), "task": "STOP"},
            {"backendopcode": opcode, "backendjobstatus": "running"},
            {"backendopcode": opcode, "backendjobstatus": "success"}, {"deleted": True},
        ):  # fmt: skip
            make_server(operstate=state, **values)
    hard = make_server(task="REBOOT")
    for number, timeout in enumerate((None, 0)):
        JobIntent.objects.create(
            request_id=f"r{number}", server=hard, backend=hard.backend, operation="REBOOT",
            payload={"body": {} if timeout is None else {"shutdown_timeout": timeout}},
        )  # fmt: skip
    path = f"{root}servers/detail?changes-since={(clock.now() - dt.timedelta(minutes=30)):%Y-%m-%dT%H:%M:%SZ}"
    shown: dict[str, set[str]] = {}
    for server in person.api.call("GET", path).json()["servers"]:
        shown.setdefault(server["status"], set()).add(server["id"])
    assert len(shown) == count
    for status, wanted in shown.items():
        found = person.api.call("GET", f"{path}&status={status}").json()["servers"]
        assert {server["id"] for server in found} == wanted, status
