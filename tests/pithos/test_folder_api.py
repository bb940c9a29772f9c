"""Operations on folders: what they take along, what they cost, in how many queries (contract 8.4, 10, 17)."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pithos.models import Attribute, Node, Statistics, Version
from synnefo import clock
from tests.pithos.conftest import Person

pytestmark = pytest.mark.db

FOLDER = "application/directory"


def folder(person: Person, path: str, **headers: str) -> None:
    assert person.put(path, type=FOLDER, **headers).status_code == 201


def send(person: Person, method: str, path: str, target: str, **options):
    query = options.pop("query", "delimiter=/")
    return person.call(method, path, type="", destination=target, query=query, **options)


@pytest.fixture
def crowd(maria):
    """Add ``count`` objects of one byte below a folder, without a request for each."""

    def add(count: int) -> Person:
        container = Node.objects.get(name="docs", parent__name=maria.uuid)
        folder(maria, "docs/f")
        nodes = Node.objects.bulk_create(
            [Node(parent=container, name=f"f/{number:05}") for number in range(count)]
        )
        now = clock.now() - timedelta(seconds=1)
        rows = Version.objects.bulk_create(
            [
                Version(node=node, hash="00" * 32, size=0, mtime=now, muser=maria.uuid, uuid=str(uuid4()))
                for node in nodes
            ]
        )
        Attribute.objects.bulk_create(
            [
                Attribute(
                    version=row,
                    node=row.node,
                    parent=container,
                    domain="pithos",
                    key="X-Object-Meta-A",
                    value="1",
                )
                for row in rows
            ]
        )
        Statistics.objects.filter(pk=container.pk).update(current_count=count + 1)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")  # as the server does by itself once rows are committed
        return maria

    return add


def queries_of(action) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert action().status_code in (201, 204)
    return len(captured)


def test_queries_grow_with_batches_not_with_objects(crowd):
    maria = crowd(1100)
    maria.put("other")
    assert queries_of(lambda: send(maria, "COPY", "docs/f", "/docs/g")) < 40
    assert queries_of(lambda: send(maria, "MOVE", "docs/g", "/other/h")) < 60
    assert len(maria.names("other")) == 1101
    assert maria.head("other/h/01099")["X-Object-Meta-A"] == "1"
    assert queries_of(lambda: maria.delete("docs/f", query="delimiter=/")) < 40
    assert queries_of(lambda: maria.delete("other", query="delimiter=/")) < 40
    assert maria.names("docs") == maria.names("other") == []
    assert queries_of(lambda: maria.delete("docs", query="until=9999999999")) < 100
    assert queries_of(lambda: maria.delete("other")) < 100
    assert Node.objects.filter(parent__parent__name=maria.uuid).count() == 0
    statistics = Statistics.objects.get(node__name="docs")
    assert (statistics.current_count, statistics.history_count, statistics.deleted_count) == (0, 0, 0)


def test_batches_make_the_same_as_one(maria, monkeypatch):
    monkeypatch.setattr("pithos.logic.batches.BATCH", 3)
    folder(maria, "docs/f")
    for number in range(7):
        maria.put(f"docs/f/{number}", b"x" * number, x_object_meta_number=str(number))
    used = maria.usage()
    assert send(maria, "COPY", "docs/f", "/docs/g").status_code == 201
    assert maria.usage() == 2 * used
    assert send(maria, "MOVE", "docs/g", "/docs/f").status_code == 201
    assert maria.usage() == used
    assert [maria.head(f"docs/f/{n}")["X-Object-Meta-Number"] for n in range(7)] == list("0123456")
    assert maria.delete("docs/f", query="delimiter=/").status_code == 204
    assert (maria.usage(), maria.names("docs")) == (0, [])


def test_a_folder_moves_into_itself(maria):
    maria.post("docs", query="update", type="", x_container_policy_versioning="none")
    for name in ("f", "f/1", "f/f", "f/f/1"):
        maria.put(f"docs/{name}", name.encode(), x_object_meta_name=name)
    assert send(maria, "MOVE", "docs/f", "/docs/f/f").status_code == 201
    assert maria.names("docs") == ["f/f", "f/f/1", "f/f/f", "f/f/f/1"]
    for name in maria.names("docs"):
        head = maria.head(f"docs/{name}")
        assert maria.read(f"docs/{name}").decode() == head["X-Object-Meta-Name"] == name[2:]
    assert maria.usage() == 1 + 3 + 3 + 5


def test_a_move_keeps_every_id(maria):
    for name in ("f", "f/1", "f/2"):
        maria.put(f"docs/{name}", b"x")
    ids = [maria.head(f"docs/{name}")["X-Object-UUID"] for name in ("f", "f/1", "f/2")]
    send(maria, "MOVE", "docs/f", "/docs/g")
    assert [maria.head(f"docs/{name}")["X-Object-UUID"] for name in ("g", "g/1", "g/2")] == ids


def test_renaming_needs_no_room_in_the_containers_quota(maria):
    maria.put("docs/x", b"x" * 60)
    maria.post("docs", query="update", type="", x_container_policy_quota="100")
    assert send(maria, "MOVE", "docs/x", "/docs/y", query="").status_code == 201
    assert send(maria, "COPY", "docs/y", "/docs/z", query="").status_code == 413
    assert maria.names("docs") == ["y"]


def test_a_folder_over_quota_is_copied_wholly_or_not_at_all(maria):
    for name in ("f", "f/1", "f/2"):
        maria.put(f"docs/{name}", b"x" * 10)
    maria.put("small", x_container_policy_quota="25")
    assert send(maria, "COPY", "docs/f", "/small/f").status_code == 413
    assert maria.names("small") == []
    assert maria.usage() == 30


def test_others_take_along_only_what_they_may_read_and_write(maria, nikos):
    folder(maria, "docs/f", x_object_sharing=f"read={nikos.uuid}")
    maria.put("docs/f/1", b"1")
    assert send(nikos, "COPY", "docs/f", "/own/f", account=maria.uuid).status_code == 201
    assert nikos.names("own") == ["f", "f/1"]
    folder(maria, "docs/f/secret", x_object_sharing="read=somebody")
    maria.put("docs/f/secret/2", b"2")
    assert send(nikos, "COPY", "docs/f", "/own/g", account=maria.uuid).status_code == 403
    assert send(nikos, "COPY", "own/f", "/docs/f", destination_account=maria.uuid).status_code == 403
    maria.post("docs/f", query="update", type="", x_object_sharing=f"write={nikos.uuid}")
    assert send(nikos, "COPY", "own/f", "/docs/f", destination_account=maria.uuid).status_code == 201
    assert maria.head("docs/f/1")["X-Object-Modified-By"] == nikos.uuid
    nikos.put("own/f/secret/2", b"3")
    assert send(nikos, "COPY", "own/f", "/docs/f", destination_account=maria.uuid).status_code == 403
    assert maria.read("docs/f/secret/2") == b"2"


def test_a_directory_with_a_slash_belongs_to_the_one_without(maria, nikos):
    folder(maria, "docs/f", x_object_sharing=f"read={nikos.uuid}")
    folder(maria, "docs/f/")
    assert nikos.head("docs/f/", account=maria.uuid).status_code == 200
    assert nikos.names("docs", account=maria.uuid) == ["f", "f/"]
    assert maria.names("docs", "shared") == ["f", "f/"]


def test_deleting_a_folder_needs_the_folder_itself(maria):
    maria.put("docs/f/1", b"x")
    assert maria.delete("docs/f", query="delimiter=/").status_code == 404
    assert maria.delete("docs/f/1", query="until=12.5&delimiter=/").status_code == 204
    assert maria.names("docs") == []
