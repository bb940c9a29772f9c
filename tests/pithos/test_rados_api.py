"""Object storage over RADOS: the HTTP interface, an unreachable cluster, and the administrator's jobs."""

from __future__ import annotations

import errno
import json
import sys
import time

import pytest

from gtools.osprovider.errors import DeployError
from gtools.osprovider.node_config import NodeConfig
from gtools.osprovider.sources import open_source
from pithos.blocks.opened import block_store
from pithos.hashing import block_digest
from pithos.logic.collection import collect
from pithos.logic.scrubbing import scrub
from pithos.models import Version
from pithos.public import block_path_of
from synnefo import rados_client
from tests.pithos.ceph_fixtures import names, overwrite, remove
from tests.pithos.conftest import body_of

pytestmark = pytest.mark.functional

DATA = b"01234567abcdefgh!"


@pytest.fixture
def stored(maria, rados_settings):
    assert maria.put("docs/x", DATA).status_code == 201
    return maria


def test_data_ranges_and_hashmaps(stored, rados_settings):
    assert stored.read("docs/x") == DATA
    assert stored.read("docs/x", range="bytes=6-9") == b"67ab"
    assert stored.read("docs/x", range="bytes=9-11") == b"bcd"
    assert b"67ab" in stored.read("docs/x", range="bytes=6-9,16-16")
    hashes = json.loads(stored.get("docs/x", query="hashmap&format=json").content)["hashes"]
    assert hashes == [block_digest(part).hex() for part in (b"01234567", b"abcdefgh", b"!")]
    assert stored.put_hashmap("docs/y", DATA, 8).status_code == 201
    assert stored.post("docs/y", b"more", content_range="bytes */*").status_code == 204
    assert stored.read("docs/y") == DATA + b"more"
    assert stored.read("docs/x", range="bytes=0-7") == b"01234567"
    assert set(names(rados_settings, "blocks")) > set(hashes)
    assert block_path_of(hashes[0]) == f"rados:blocks/{hashes[0]}"


@pytest.mark.parametrize("policy", ["cached", "never"])
def test_blocks_that_are_not_checked_are_fetched_piece_by_piece(stored, settings, policy):
    settings.PITHOS_BACKEND_BLOCK_VERIFY = policy
    for _ in range(2):
        assert stored.read("docs/x") == DATA
        assert stored.read("docs/x", range="bytes=2-4") == b"234"


@pytest.mark.fault
@pytest.mark.parametrize("damage", ["missing", "flipped", "shorter"])
def test_a_bad_first_block_is_503_a_later_one_cuts_the_reply_off_and_an_upload_heals(
    stored, rados_settings, damage
):
    def spoil(content: bytes) -> None:
        name = block_digest(content).hex()
        if damage == "missing":
            remove(rados_settings, "blocks", name)
        else:
            overwrite(
                rados_settings, "blocks", name, b"x" + content[1:] if damage == "flipped" else content[:3]
            )

    spoil(b"abcdefgh")
    response = stored.get("docs/x")
    assert response.status_code == 200
    with pytest.raises(Exception, match="block"):
        body_of(response)
    spoil(b"01234567")
    response = stored.get("docs/x")
    assert response.status_code == 503
    assert response["Retry-After"]
    stored.post("docs", b"01234567abcdefgh", query="update")
    assert stored.put_hashmap("docs/x", DATA, 8).status_code == 201
    assert stored.read("docs/x") == DATA


def seconds_of_an_outage(stored) -> float:
    began = time.monotonic()
    assert stored.get("docs/x").status_code == 503
    return time.monotonic() - began


@pytest.mark.fault
def test_a_cluster_that_does_not_answer_is_503_within_its_timeout_and_all_is_well_afterwards(stored, ceph):
    ceph.freeze_osd()
    try:
        began = time.monotonic()
        reply = stored.get("docs/x")
        assert (reply.status_code, bool(reply["Retry-After"])) == (503, True)
        assert stored.put("docs/new", DATA).status_code == 503
        assert time.monotonic() - began < 120
        # One is asked to try again now and then, and this machine may be busy.
        assert any(seconds_of_an_outage(stored) < 1.5 for _ in range(10)), "an outage holds up every request"
        assert stored.head("docs/x").status_code == 200
    finally:
        ceph.thaw_osd()
    deadline = time.monotonic() + 120
    while stored.get("docs/x").status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.3)
    assert stored.read("docs/x") == DATA
    assert stored.head("docs/new").status_code == 404
    assert stored.usage() == len(DATA)


@pytest.mark.fault
@pytest.mark.parametrize("conf", ["/nowhere/ceph.conf", "no monitor"])
def test_a_cluster_that_cannot_be_reached_is_503(maria, rados_settings, settings, tmp_path, conf):
    if conf == "no monitor":
        (tmp_path / "ceph.conf").write_text(
            "[global]\nmon host = v1:127.0.0.1:1\nauth client required = none\n"
        )
        conf = str(tmp_path / "ceph.conf")
    settings.PITHOS_RADOS_CEPH_CONF = conf
    settings.PITHOS_RADOS_CONNECT_TIMEOUT = 1
    assert maria.put("docs/x", DATA).status_code == 503


@pytest.mark.fault
def test_without_the_binding_the_log_says_what_to_install(
    maria, rados_settings, settings, monkeypatch, caplog
):
    with monkeypatch.context() as without:
        without.setattr(rados_client, "_binding", None)
        without.setattr(rados_client, "_SYSTEM_PACKAGES", rados_client.Path("/nowhere"))
        without.setitem(sys.modules, "rados", None)
        assert maria.put("docs/x", DATA).status_code == 503
    assert "python3-rados" in caplog.text


@pytest.mark.fault
def test_a_full_cluster_is_507_and_leaves_nothing(maria, rados_settings, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise rados_client.load_binding().NoSpace("no room", errno.ENOSPC)

    monkeypatch.setattr("pithos.blocks.rados._operate", full)
    assert maria.put("docs/x", DATA).status_code == 507
    assert maria.head("docs/x").status_code == 404
    assert names(rados_settings, "blocks") == []


def test_collection_and_scrub(stored, rados_settings):
    stored.put("docs/gone", b"something else")
    stored.delete("docs/gone")
    Version.objects.filter(node__name="gone").delete()
    store = block_store()
    nothing = {"progress": lambda *_: None}
    assert collect(store, unused_since=time.time() - 3600, dry_run=False, **nothing).blocks == 0
    result = collect(store, unused_since=time.time() + 3600, dry_run=False, **nothing)
    assert (result.blocks, result.maps) == (2, 1)
    assert stored.read("docs/x") == DATA
    bad = block_digest(b"abcdefgh").hex()
    overwrite(rados_settings, "blocks", bad, b"abcdefgi")
    remove(rados_settings, "blocks", block_digest(b"!").hex())
    found = scrub(store, contents=True, quarantine=True, rate=None, **nothing).findings
    assert {(f.name, f.problem) for f in found} == {(bad, "damaged"), (block_digest(b"!").hex(), "missing")}
    assert f"{bad}.corrupt" in names(rados_settings, "blocks")
    assert len(json.loads(stored.put_hashmap("docs/x", DATA, 8).content)) == 2


def test_a_block_used_in_the_moment_of_its_removal_stays(stored, monkeypatch):
    from pithos.blocks import rados

    operate, store = rados._operate, block_store()
    digest = block_digest(b"01234567")

    def use_first(context, name, *steps):
        if steps[-1] == ("remove",):
            operate(context, name, ("rm_xattr", "used"), ("set_xattr", "used", b"1"))
        operate(context, name, *steps)

    monkeypatch.setattr(rados, "_operate", use_first)
    assert not store.discard("blocks", digest.hex(), unused_since=time.time() + 3600)
    assert store.get(digest) == b"01234567"


def test_a_node_reads_an_image_from_the_pools(stored, ceph):
    version = Version.objects.get(node__name="x", cluster=0)
    config = NodeConfig(pithos_storage="rados", pithos_rados_ceph_conf=ceph.conf, pithos_block_size=8)
    source = open_source(f"pithosmap://{version.mapfile}/{len(DATA)}", config)
    assert source is not None
    assert b"".join(data for _, data in source.pieces()) == DATA
    with pytest.raises(DeployError, match="not in the block store"):
        open_source(f"pithosmap://{'0' * 64}_3/17", config)
