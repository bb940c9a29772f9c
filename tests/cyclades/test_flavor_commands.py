"""Commands for flavors, volume types and servers (administrator's contract 4.2 and 4.4)."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from cyclades.logic import floating_ips
from cyclades.models import (
    Backend,
    Flavor,
    IPAddress,
    IPAddressHistory,
    Port,
    Server,
    ServerState,
    Task,
    VolumeType,
)

pytestmark = pytest.mark.db


def run(*arguments: str) -> object:
    out = StringIO()
    call_command(*arguments, "--output-format", "json", stdout=out, stderr=StringIO())
    return json.loads(out.getvalue()) if out.getvalue() else None


def test_flavor_create_makes_every_combination_once(db):
    rows = run("flavor-create", "1,2", "1021", "20", "drbd")
    assert [row["name"] for row in rows] == ["C1R1024D20drbd", "C2R1024D20drbd"]
    again = run("flavor-create", "1,2,4", "1024", "20", "drbd")
    assert [row["outcome"] for row in again] == ["exists", "exists", "created"]
    assert VolumeType.objects.count() == 1


def test_flavor_create_takes_a_volume_type_id(volume_type):
    run("flavor-create", "1", "1024", "20", str(volume_type.pk))
    assert Flavor.objects.get().volume_type == volume_type


def test_flavor_create_takes_the_name_of_a_volume_type(db):
    VolumeType.objects.create(name="fast", disk_template="ext_fast")
    run("flavor-create", "1", "1024", "20", "fast")
    assert Flavor.objects.get().volume_type.disk_template == "ext_fast"


def test_dry_run_creates_nothing(db):
    run("flavor-create", "1", "1024", "20", "drbd", "--dry-run")
    assert not Flavor.objects.exists()
    assert not VolumeType.objects.exists()


@pytest.mark.parametrize(
    "arguments",
    [("x", "1", "1", "drbd"), ("0", "1", "1", "drbd"), ("1", "1", "1", "floppy"), ("1", "1", "1", "99")],
)
def test_flavor_create_refuses_nonsense(db, arguments):
    with pytest.raises(CommandError):
        run("flavor-create", *arguments)


def test_flavor_modify_show_and_list(flavor):
    run("flavor-modify", str(flavor.pk), "--allow-create", "False", "--spec-add", "a=b")
    shown = run("flavor-show", str(flavor.pk))
    assert (shown["allow_create"], shown["specs"]) == (False, "a=b")
    assert [row["id"] for row in run("flavor-list")] == [flavor.pk]
    with pytest.raises(CommandError):
        run("flavor-modify", str(flavor.pk), "--spec-add", "a=b", "--spec-delete", "a")


def test_volume_types(db):
    made = run("volume-type-create", "--name", "fast", "--disk-template", "ext_archipelago")
    assert run("volume-type-show", str(made["id"]))["disk template"] == "ext_archipelago"
    assert [row["name"] for row in run("volume-type-list")] == ["fast"]
    with pytest.raises(CommandError, match="255"):
        run("volume-type-modify", str(made["id"]), "--name", "x" * 256)


def test_server_create_on_behalf_of_a_user(person, backend, flavor, image, submitted, settings, monkeypatch):
    from cyclades.management import waiting

    monkeypatch.setattr(waiting, "_SUBMISSION_SECONDS", 0.0)
    shown = run(
        "server-create", "--name", "web", "--user-id", person.uuid, "--image-id", image.id,
        "--flavor-id", str(flavor.pk), "--password", "anything",
    )  # fmt: skip
    assert (shown["owner_uuid"], shown["state"]) == (person.uuid, "BUILD(0%)")
    assert person.usage("cyclades.vm") == (1, 0)
    Backend.objects.update(offline=True)
    with pytest.raises(CommandError, match="offline"):
        run(
            "server-create", "--name", "web", "--user", person.uuid, "--image", image.id,
            "--flavor", str(flavor.pk), "--password", "anything", "--backend-id", str(backend.pk),
        )  # fmt: skip


@pytest.mark.parametrize("missing", ["--name", "--user", "--flavor", "--image", "--password"])
def test_server_create_needs_its_options(db, missing):
    options = {"--name": "n", "--user": "u", "--flavor": "1", "--image": "i", "--password": "p"}
    del options[missing]
    with pytest.raises(CommandError, match="is mandatory"):
        run("server-create", *[word for pair in options.items() for word in pair])


def test_server_list_and_show_by_instance_name(make_server):
    server = make_server()
    assert [row["id"] for row in run("server-list")] == [server.pk]
    assert run("server-show", f"snf-{server.pk}")["name"] == "web"
    with pytest.raises(CommandError, match="does not exist"):
        run("server-show", "999999")


def test_server_modify_renames_suspends_and_acts(make_server, submitted, monkeypatch):
    from cyclades.management import waiting

    monkeypatch.setattr(waiting, "_SUBMISSION_SECONDS", 0.0)
    server = make_server(operstate=ServerState.STOPPED)
    run("server-modify", str(server.pk), "--name", "new", "--suspended", "True", "--action", "start")
    server = Server.objects.get()
    assert (server.name, server.suspended, server.task) == ("new", True, Task.START)


def test_server_modify_gives_it_to_another_user(make_server, stranger):
    server = make_server()
    run("server-modify", str(server.pk), "--owner", stranger.uuid)
    server.refresh_from_db()
    assert (server.userid, server.project) == (stranger.uuid, stranger.uuid)
    with pytest.raises(CommandError, match="no user"):
        run("server-modify", str(server.pk), "--user", "nobody")


def test_a_new_owner_gets_only_what_was_the_former_ones(person, stranger, make_server, make_volume, internet):
    server = make_server()
    mine = make_volume(machine=server, index=0)
    friends = make_volume(machine=server, index=1, charged=False, userid="friend", project="common")
    port = Port.objects.create(network=internet, machine=server, userid=person.uuid, public=True)
    ip = floating_ips.create(person.credentials)
    IPAddress.objects.update(nic=port)
    IPAddress.objects.create(
        subnet=ip.subnet, network=internet, nic=port, userid=person.uuid, address="2001:db8::1", ipversion=6
    )
    run("server-modify", str(server.pk), "--user", stranger.uuid)
    for row, owner in ((mine, stranger.uuid), (friends, "friend"), (ip, stranger.uuid)):
        row.refresh_from_db()
        assert row.userid == owner
    reason = f"[OWNER CHANGE vm: {server.pk}, from: {person.uuid}, to: {stranger.uuid}]"
    history = IPAddressHistory.objects.order_by("pk").values_list("action", "user_id", "action_reason")
    assert list(history) == [
        *[("disassociate", person.uuid, reason)] * 2,
        *[("associate", stranger.uuid, reason)] * 2,
    ]
