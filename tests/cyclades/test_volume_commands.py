"""The commands about volumes and their types (administrator's contract 4.2 and 4.8)."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from cyclades.management import waiting
from cyclades.models import Task, Volume, VolumeStatus
from tests.cyclades.compute_fixtures import GIB

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.usefixtures("submitted")]


def run(*words: str) -> str:
    output = io.StringIO()
    call_command(*words, stdout=output, stderr=io.StringIO())
    return output.getvalue()


def rows(*words: str) -> list[dict[str, object]]:
    return json.loads(run(*words, "--output-format", "json"))


def test_a_volume_is_created_shown_changed_and_removed(person, detachable_type):
    create = ["volume-create", "--size", "3", "--name", "data", "--user", person.uuid]
    with pytest.raises(CommandError):
        run("volume-create", "--size", "3")
    with pytest.raises(CommandError):
        run(*create, "--volume-type", "9999")
    with pytest.raises(CommandError):
        run(*create, "--volume-type", str(detachable_type.pk), "--source", "tape:1")
    run(*create, "--volume-type", str(detachable_type.pk))
    volume = Volume.objects.get()
    assert person.usage("cyclades.disk") == (3 * GIB, 0)
    (row,) = rows("volume-list")
    assert (row["status"], row["disk_template"]) == ("AVAILABLE", "ext_snffile")
    assert "snffile" in run("volume-show", f"snf-vol-{volume.pk}", "--display-mails")
    assert "data" in run("volume-inspect", str(volume.pk))
    run("volume-modify", str(volume.pk), "--name", "new")
    volume.refresh_from_db()
    assert (volume.name, volume.delete_on_termination) == ("new", True)
    with pytest.raises(CommandError, match="not removed"):
        run("volume-remove", "-f", str(volume.pk), "99999")
    volume.refresh_from_db()
    assert volume.deleted
    assert rows("volume-list") == []
    assert len(rows("volume-list", "--deleted")) == 1


@pytest.mark.parametrize(
    ("command", "status", "task"),
    [
        ("volume-attach", VolumeStatus.ATTACHING, Task.ATTACH_VOLUME),
        ("volume-detach", VolumeStatus.DETACHING, Task.DETACH_VOLUME),
        ("volume-remove", VolumeStatus.DELETING, Task.DELETE_VOLUME),
    ],
)
def test_jobs_of_servers_are_begun(host, make_volume, monkeypatch, command, status, task):
    monkeypatch.setattr(waiting, "_SUBMISSION_SECONDS", 0.0)
    on_it = {} if command == "volume-attach" else {"machine": host, "index": 1, "status": VolumeStatus.IN_USE}
    volume = make_volume(backendjobid=9, **on_it)
    options = ["--server", str(host.pk)] if command == "volume-attach" else ["-f"]
    run(command, str(volume.pk), "--wait", "False", *options)
    volume.refresh_from_db()
    host.refresh_from_db()
    assert (volume.status, host.task) == (status, task)


def test_a_type_and_its_flavors_go_and_come_back_together(detachable_type, detachable_flavor):
    number = str(detachable_type.pk)
    run("volume-type-modify", number, "--name", "fast", "--spec-add", "GNT-EXTP:a=1,b=2")
    run("volume-type-modify", number, "--spec-delete", "b", "--deleted", "True")
    detachable_type.refresh_from_db()
    detachable_flavor.refresh_from_db()
    assert (detachable_type.name, detachable_type.deleted, detachable_flavor.deleted) == ("fast", True, True)
    assert list(detachable_type.specs.values_list("key", "value")) == [("GNT-EXTP:a", "1")]
    run("volume-type-modify", number, "--deleted", "False")
    detachable_flavor.refresh_from_db()
    assert not detachable_flavor.deleted
    for wrong in (["--spec-delete", "none"], ["--spec-add", "x=1", "--spec-delete", "x"]):
        with pytest.raises(CommandError):
            run("volume-type-modify", number, *wrong)
