"""Commands for servers' tags and rescue images (administrator's contract 4.3 and 4.4)."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from cyclades.logic import images
from cyclades.models import RescueImage, Server, ServerState, ServerTag, TagStatus, Task
from tests.cyclades.compute_fixtures import IMAGE_ID, SAMPLE_IMAGE

pytestmark = [pytest.mark.db, pytest.mark.usefixtures("submitted")]


def run(*arguments: str) -> object:
    out = StringIO()
    call_command(*arguments, "--output-format", "json", stdout=out, stderr=StringIO())
    return json.loads(out.getvalue()) if out.getvalue() else None


def tags(server: Server) -> list[tuple[str, str]]:
    return list(ServerTag.objects.filter(server=server).order_by("pk").values_list("tag", "status"))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    from cyclades.management import waiting

    monkeypatch.setattr(waiting, "_SUBMISSION_SECONDS", 0.0)


def test_tags_are_changed_in_a_namespace(make_server):
    server = make_server()
    run("server-modify", str(server.pk), "--tag-add", "rack 7", "--tag-namespace", "system")
    assert tags(server) == [("cyclades:system:rack 7", "PENDADD")]
    ServerTag.objects.update(status=TagStatus.ACTIVE)
    run("server-modify", f"snf-{server.pk}", "--tag-replace-all", "a,b")
    run("server-modify", str(server.pk), "--tag-delete", "rack 7", "--tag-namespace", "system")
    assert [tag for tag, _ in tags(server)] == ["cyclades:user:a", "cyclades:user:b"]
    assert run("server-tag-exists", str(server.pk), "a") == [
        {"tag": "a", "status": "PENDADD", "namespace": "user"}
    ]
    assert run("server-tag-exists", str(server.pk), "none") is None
    ServerTag.objects.update(status=TagStatus.ACTIVE)
    run("server-modify", str(server.pk), "--tag-delete-all")
    assert tags(server) == []


def test_tag_changes_that_cannot_be(make_server):
    server = make_server()
    for options in (
        ("--tag-add", "a", "--tag-delete", "b"), ("--tag-add", "a/b"), ("--tag-delete", "none"),
        ("--tag-delete-all",), ("--tag-add", "x" * 61),
    ):  # fmt: skip
        with pytest.raises(CommandError):
            run("server-modify", str(server.pk), *options)


def test_rescue_works_for_administrators_everywhere(make_server, settings):
    settings.RESCUE_ENABLED = False
    made = run("rescue-image-create", "--name", "grml", "--location", "grml.iso", "--default", "True")
    assert (made["name"], made["location_type"], made["is_default"]) == ("grml", "file", True)
    server = make_server(operstate=ServerState.STOPPED, suspended=True)
    run("server-modify", str(server.pk), "--action", "rescue")
    server.refresh_from_db()
    assert server.task == Task.RESCUE
    (row,) = run("rescue-image-list")
    assert (row["id"], row["vms_using_image"]) == (made["id"], 1)
    Server.objects.update(task="", rescue=True)
    assert run("server-show", str(server.pk))["rescue_image"] == f"rescue image {made['id']} (grml)"
    run("server-modify", str(server.pk), "--action", "unrescue")


def test_a_new_default_takes_the_place_of_the_old(db):
    for name in ("a", "b"):
        run("rescue-image-create", "--location", name, "--default", "True")
    first, second = RescueImage.objects.order_by("pk")
    assert (first.is_default, second.is_default) == (False, True)
    run("rescue-image-modify", str(first.pk), "--default", "True", "--target-os", "debian")
    first.refresh_from_db()
    assert (first.is_default, first.target_os) == (True, "debian")
    run("rescue-image-remove", str(second.pk), "-f")
    assert [row["id"] for row in run("rescue-image-list")] == [first.pk]
    for arguments in (("--default", "False"), ("--deleted", "True"), ()):
        with pytest.raises(CommandError):
            run("rescue-image-modify", str(first.pk), *arguments)


def test_dry_runs_change_nothing(db):
    run("rescue-image-create", "--location", "a", "-n")
    assert not RescueImage.objects.exists()
    image = RescueImage.objects.create(name="a", location="a")
    run("rescue-image-modify", str(image.pk), "--name", "b", "-n")
    run("rescue-image-remove", str(image.pk), "-n")
    image.refresh_from_db()
    assert (image.name, image.deleted) == ("a", False)


def test_names_of_images_are_looked_up_together(make_server, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(images, "list_images", lambda credentials: [SAMPLE_IMAGE])
    for _ in range(5):
        make_server()
    with django_assert_max_num_queries(4):
        rows = run("server-list", "--image-name", "-o", "id")
    assert {row["image.name"] for row in rows} == {"Debian"}


@pytest.mark.parametrize(
    ("volume", "with_image"),
    [("size=30", True), (f"size=30,image={IMAGE_ID}", True), (f"size=30,image={IMAGE_ID}", False)],
)
def test_server_create_makes_the_disks_it_is_told(person, backend, flavor, image, volume, with_image):
    options = ["--name", "n", "--user", person.uuid, "--flavor", str(flavor.pk), "--password", "p"]
    run("server-create", *options, *(["--image", image.id] if with_image else []), "--volume", volume)
    disk = Server.objects.get().volumes.get()
    assert (disk.size, disk.source, disk.index) == (30, f"image:{image.id}", 0)


def test_server_create_refuses_disks_that_cannot_be(person, backend, flavor, image):
    options = ["--name", "n", "--user", person.uuid, "--flavor", str(flavor.pk), "--password", "p"]
    for volume in ("size=x", "size=1,id=2", "id=x", "image=a", "size=1,image=a,snapshot=b", "a"):
        with pytest.raises(CommandError):
            run("server-create", *options, "--image", image.id, "--volume", volume)
    assert not Server.objects.exists()


def test_numbers_of_everything_are_printed_and_written(make_server, cluster, tmp_path):
    make_server()
    make_server(operstate=ServerState.STOPPED)
    shown = run("stats-cyclades", "--images", "False")
    assert set(shown) == {"datetime", "clusters", "servers", "ip_pools", "networks"}
    assert (shown["servers"]["started"]["count"], shown["servers"]["stopped"]["count"]) == (1, 1)
    file = tmp_path / "numbers.json"
    run("stats-cyclades", "--json-file", str(file), "--backend", "cluster.example", "--servers", "False")
    assert set(json.loads(file.read_text())) == {"datetime", "clusters", "images"}
    with pytest.raises(CommandError, match="can't be written"):
        run("stats-cyclades", "--json-file", str(tmp_path))
    with pytest.raises(CommandError, match="99"):
        run("stats-cyclades", "--backend", "99")


def test_every_backend_gets_its_helpers(person, backend, flavor, image):
    options = ["--user", person.uuid, "--image", image.id, "--flavor", str(flavor.pk), "--password", "p"]
    for _ in range(2):
        run("helper-servers-sync", *options, "--copies", "2", "--wait", "False", "--tags", "a,b")
    made = Server.objects.filter(backend=backend, helper=True)
    assert made.count() == 2
    assert {tag for tag, _ in tags(made[0])} == {"cyclades:user:a", "cyclades:user:b"}
    with pytest.raises(CommandError, match="password is mandatory"):
        run("helper-servers-sync", *options[:-2])
    with pytest.raises(CommandError, match="between 1 and 100"):
        run("helper-servers-sync", *options, "--copies", "0")
    backend.offline = True
    backend.save()
    with pytest.raises(CommandError, match="No online backend"):
        run("helper-servers-sync", *options)


def test_running_helpers_are_stopped_and_what_fails_is_told(person, backend, flavor, image, make_server):
    helper = make_server(helper=True)
    options = ["--user", person.uuid, "--image", image.id, "--flavor", str(flavor.pk), "--password", "p"]
    with pytest.raises(CommandError, match=f"helper server {helper.pk} was not stopped") as caught:
        run("helper-servers-sync", *options)
    assert caught.value.returncode == 2


def test_the_password_of_the_console_proxy_that_everybody_knows_is_warned_of(settings):
    from cyclades.checks import check_console_proxies
    from cyclades.console.proxies import DEFAULT

    settings.CYCLADES_VNCAUTHPROXY_OPTS = [DEFAULT]
    assert [found.id for found in check_console_proxies(None)] == ["cyclades.W001"]
    settings.CYCLADES_VNCAUTHPROXY_OPTS = {"auth_password": "another"}
    assert check_console_proxies(None) == []
    settings.CYCLADES_VNCAUTHPROXY_OPTS = [{"auth_pass": "x"}]
    assert [found.id for found in check_console_proxies(None)] == ["cyclades.E001"]


def test_settings_that_no_server_could_be_shown_or_made_with_are_told_of(settings):
    from cyclades.checks import check_new_servers

    settings.CYCLADES_DEFAULT_SERVER_NETWORKS = ["SNF:ANY_PUBLIC", ["3", 4]]
    assert check_new_servers(None) == []
    settings.CYCLADES_SERVERS_FQDN = "snf-%(number)s.example.org"
    settings.CYCLADES_FORCED_SERVER_NETWORKS = ["SNF:ANY", {}, []]
    assert [found.id for found in check_new_servers(None)] == ["cyclades.E003"] + ["cyclades.E004"] * 3
    settings.CYCLADES_SERVERS_FQDN = None
    settings.CYCLADES_FORCED_SERVER_NETWORKS = []
    assert check_new_servers(None) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKEND_PREFIX_ID", "snf"),
        ("GANETI_CREATEINSTANCE_KWARGS", {}),
        ("GANETI_FIREWALL_ENABLED_TAG", "firewall:%s"),
        ("BACKEND_ALLOCATOR_MODULE", "somewhere.else.Allocator"),
        ("BACKEND_FILTER_ALLOCATOR_FILTERS", ["cyclades.ganeti.allocators.Missing"]),
    ],
)
def test_settings_without_which_no_server_can_be_made_are_told(settings, name, value):
    from cyclades.checks import check_ganeti_settings

    assert check_ganeti_settings(None) == []
    setattr(settings, name, value)
    assert [found.id for found in check_ganeti_settings(None)] == ["cyclades.E002"]
