"""Snapshots as the volume service makes them: registered, filled by somebody else, then readable."""

from __future__ import annotations

import pytest

from pithos import public
from pithos.blocks.opened import block_store
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound, OverLimit

pytestmark = pytest.mark.db

DATA = b"01234567abcdefgh!"


@pytest.fixture
def owner(maria, small_blocks) -> Credentials:
    return Credentials(user_id=maria.uuid, projects=frozenset({maria.uuid}), default_project=maria.uuid)


def register(owner: Credentials, **changes) -> str:
    values = {"account": owner.user_id, "container": "snapshots", "name": "s1", "size": len(DATA)}
    return public.register_object_map(owner, **{**values, **changes})


def store_data() -> str:
    store = block_store()
    name = store.put_map([store.put(DATA[at : at + 8]) for at in range(0, len(DATA), 8)])
    assert name
    return name


def test_registering_makes_the_container_charges_and_is_not_readable(maria, owner):
    uuid = register(owner, domain="plankton", metadata={"name": "disk"})
    assert maria.usage() == len(DATA)
    head = maria.head("snapshots/s1")
    assert (head.status_code, head["Available"], head["X-Object-UUID"]) == (200, "0", uuid)
    assert maria.get("snapshots/s1").status_code == 403
    assert maria.get("snapshots/s1", query="hashmap").status_code == 403
    info = public.get_object(owner, uuid=uuid, domain="plankton")
    assert (info.is_snapshot, info.available, info.metadata) == (True, 0, {"name": "disk"})
    assert maria.head("snapshots")["X-Container-Bytes-Used"] == str(len(DATA))


def test_a_ready_snapshot_can_be_read_and_copied(maria, owner):
    uuid = register(owner)
    version = public.get_object(owner, uuid=uuid).version
    info = public.update_object_status(owner, uuid=uuid, status=1, mapfile=store_data())
    assert (info.available, info.version, info.mapfile) == (1, version, f"{info.hash}_3")
    assert maria.read("snapshots/s1") == DATA
    assert maria.call("COPY", "snapshots/s1", destination="/docs/copy").status_code == 201
    assert maria.read("docs/copy") == DATA
    assert maria.usage() == 2 * len(DATA)
    assert maria.put_hashmap("docs/again", DATA, 8).status_code == 201
    assert maria.post("snapshots/s1", b"x", content_range="bytes */*").status_code == 403


def test_a_snapshot_whose_data_is_not_there_does_not_become_ready(maria, owner):
    uuid = register(owner)
    name = store_data()
    for mapfile in (None, "archip:x", name[:-1] + "2", "0" * 64 + "_3"):
        with pytest.raises(BadRequest):
            public.update_object_status(owner, uuid=uuid, status=1, mapfile=mapfile)
    block_store().delete(bytes.fromhex(public.block_hashes(name, size=len(DATA))[1]))
    with pytest.raises(BadRequest):
        public.update_object_status(owner, uuid=uuid, status=1, mapfile=name)
    assert maria.get("snapshots/s1").status_code == 403


def test_a_broken_snapshot_is_told_and_can_be_deleted(maria, owner):
    uuid = register(owner)
    assert public.update_object_status(owner, uuid=uuid, status=-1).available == -1
    assert maria.get("snapshots/s1").status_code == 400
    public.delete_object(owner, uuid=uuid)
    assert maria.usage() == 0
    with pytest.raises(NotFound):
        public.update_object_status(owner, uuid=uuid, status=1)


def test_names_in_use_foreign_accounts_and_full_quotas_are_refused(maria, nikos, owner):
    maria.put("docs/x", b"mine")
    with pytest.raises(Conflict):
        register(owner, container="docs", name="x")
    with pytest.raises(Forbidden):
        register(owner, account=nikos.uuid)
    with pytest.raises(OverLimit):
        register(owner, size=1 << 40)
    assert maria.head("snapshots").status_code == 404
    for size in (-1, 1 << 63):
        with pytest.raises(BadRequest):
            register(owner, size=size)


def test_only_snapshots_have_a_status(maria, owner):
    uuid = maria.put("docs/x", DATA) and maria.head("docs/x")["X-Object-UUID"]
    with pytest.raises(BadRequest):
        public.update_object_status(owner, uuid=uuid, status=0)
    with pytest.raises(BadRequest):
        public.update_object_status(owner, uuid=register(owner), status=7)


def test_an_empty_snapshot_needs_no_map(maria, owner):
    uuid = register(owner, size=0)
    public.update_object_status(owner, uuid=uuid, status=1)
    assert maria.read("snapshots/s1") == b""


def test_protected_blocks_are_young_again(maria, owner, blocks):
    import os

    name = store_data()
    files = [path for path in blocks.parent.rglob("*") if path.is_file()]
    for path in files:
        os.utime(path, (1, 1))
    public.protect_blocks(name, size=len(DATA))
    assert len(files) == 4
    assert all(path.stat().st_mtime > 1 for path in files)
