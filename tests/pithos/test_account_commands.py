"""pithos-manage-accounts: listing, merging and deleting accounts, quota of many containers."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from pithos.logic import reconciliation
from pithos.management import accounts_program
from pithos.models import AccountBlock, Attribute, Grant, GroupMember, Node, PublicLink, Version
from tests.pithos.conftest import Person

pytestmark = pytest.mark.db


def run(*args: str, typed: str = "", monkeypatch: Any = None) -> str:
    out = io.StringIO()
    if monkeypatch is not None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
    call_command("pithos-manage-accounts", *args, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def in_sync() -> bool:
    """Quota is what objects take."""
    found = reconciliation.compare()
    return not (found.unsynced or found.skipped or found.unknown)


def test_list_in_every_format(maria, nikos):
    names = sorted([maria.uuid, nikos.uuid])
    assert run("list", "--no-headers").split() == names
    assert json.loads(run("list", "--output-format", "json")) == [{"account": name} for name in names]
    assert run("list", "--output-format", "csv").split() == ["account", *names]


def test_duplicates_differ_in_case_only(maria):
    Node.objects.create(parent=None, name=maria.uuid.upper())
    Node.objects.create(parent=None, name="other")
    listed = json.loads(run("list", "--duplicate", "--output-format", "json"))
    assert [row["account"] for row in listed] == sorted([maria.uuid, maria.uuid.upper()])


@pytest.mark.parametrize("free", [True, False])
def test_delete_leaves_nothing_and_gives_everything_back(settings, maria, nikos, monkeypatch, free):
    settings.PITHOS_BACKEND_FREE_VERSIONING = free
    nikos.put("own/x", b"stays")
    for data in (b"one", b"three"):
        maria.put("docs/x", data, x_object_meta_a="1", x_object_sharing="read=*", x_object_public="true")
    maria.post("docs/x", type="text/plain", query="update", x_object_meta_b="costs nothing")
    maria.put("docs/gone", b"gone")
    maria.delete("docs/gone")
    maria.post("", query="update", x_account_group_friends=nikos.uuid)
    assert maria.usage() == (5 if free else 12)
    shown = run("delete", maria.uuid, "--dry")
    assert "docs/x" in shown and f"group friends: {nikos.uuid}" in shown
    assert maria.read("docs/x") == b"three"
    with pytest.raises(CommandError):
        run("delete", maria.uuid, typed="no", monkeypatch=monkeypatch)
    assert maria.read("docs/x") == b"three"

    run("delete", maria.uuid, typed="yes", monkeypatch=monkeypatch)
    assert maria.usage() == 0
    assert list(Node.objects.filter(parent=None).values_list("name", flat=True)) == [nikos.uuid]
    assert nikos.read("own/x") == b"stays"
    assert not Attribute.objects.exists() and not PublicLink.objects.exists()
    assert not GroupMember.objects.exists() and not Grant.objects.exists()
    assert in_sync()


def test_deleting_an_account_of_nobody_works(maria, monkeypatch):
    account = Node.objects.create(parent=None, name="nobody")
    docs = Node.objects.get(name="docs")
    maria.put("docs/x", b"hello")
    Node.objects.filter(pk=docs.pk).update(parent=account)
    run("delete", "nobody", typed="yes", monkeypatch=monkeypatch)
    assert not Version.objects.filter(node__name="x").exists()
    with pytest.raises(CommandError):
        run("delete", "nobody", "--dry")


class TestMerge:
    @pytest.fixture
    def merged(self, maria: Person, nikos: Person, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Merge Maria's account into Nikos'."""
        return lambda *extra: run(
            "merge", maria.uuid, nikos.uuid, *extra, typed="yes", monkeypatch=monkeypatch
        )

    def test_objects_go_into_the_same_containers_and_the_source_stays(self, maria, nikos, merged):
        nikos.put("docs", x_container_policy_versioning="auto")
        maria.put("docs/x", b"maria", x_object_meta_a="1", type="text/plain")
        maria.put("docs/y", b"only maria")
        nikos.put("docs/x", b"nikos was here")
        maria.put("photos")
        assert "docs/y" in merged("--dry")
        assert nikos.names("docs") == ["x"]
        merged()
        assert nikos.read("docs/x") == maria.read("docs/x") == b"maria"
        head = nikos.head("docs/x")
        assert (head["X-Object-Meta-A"], head["Content-Type"]) == ("1", "text/plain")
        assert nikos.read("docs/y") == b"only maria"
        assert nikos.names("") == ["docs", "own", "photos"]
        versions = json.loads(nikos.get("docs/x", query="version=list").content)["versions"]
        assert len(versions) == 2
        assert nikos.read("docs/x", query=f"version={versions[0][0]}") == b"nikos was here"
        assert head["X-Object-UUID"] != maria.head("docs/x")["X-Object-UUID"]
        assert in_sync()
        assert nikos.usage() == len(b"maria" + b"only maria")

    @pytest.mark.parametrize("free", [True, False])
    def test_history_moves_also_that_of_deleted_objects(self, settings, maria, nikos, merged, free):
        settings.PITHOS_BACKEND_FREE_VERSIONING = free
        for data in (b"1", b"22"):
            maria.put("docs/x", data, x_object_meta_a=data.decode())
            maria.put("docs/gone", data)
        maria.post("docs/x", type="text/plain", query="update", x_object_meta_b="costs nothing")
        maria.delete("docs/gone")
        (first, _), *_ = json.loads(maria.get("docs/x", query="version=list").content)["versions"]
        merged()
        assert nikos.read("docs/x", query=f"version={first}") == b"1"
        assert nikos.head("docs/x", query=f"version={first}")["X-Object-Meta-A"] == "1"
        assert len(json.loads(nikos.get("docs/gone", query="version=list").content)["versions"]) == 2
        assert nikos.get("docs/gone").status_code == 404
        assert len(json.loads(maria.get("docs/x", query="version=list").content)["versions"]) == 1
        assert nikos.put("docs/gone", b"back").status_code == 201
        assert in_sync()
        for person in (maria, nikos):
            assert person.delete("docs", query="delimiter=/").status_code == 204
            assert person.delete("docs").status_code == 204
        assert in_sync()

    def test_grants_links_and_groups_go_along(self, maria, nikos, make_user, merged):
        eva = make_user("eva")
        maria.post("", query="update", x_account_group_friends=eva.uuid)
        maria.put("docs/x", b"hello", x_object_public="true", x_object_sharing=f"read={maria.uuid}:friends")
        link = maria.head("docs/x")["X-Object-Public"]
        merged()
        head = nikos.head("docs/x")
        assert head["X-Object-Public"] == link
        assert head["X-Object-Sharing"] == f"read={nikos.uuid}:friends"
        assert nikos.head()["X-Account-Group-Friends"] == eva.uuid
        assert eva.read("docs/x", account=nikos.uuid) == b"hello"
        assert "X-Account-Group-Friends" not in maria.head().headers

    def test_given_again_it_changes_nothing(self, maria, nikos, merged):
        maria.put("docs/x", b"hello")
        merged()
        before = nikos.head("docs/x")["X-Object-Version"]
        merged()
        assert nikos.head("docs/x")["X-Object-Version"] == before

    def test_the_target_may_name_the_blocks_by_hash(self, maria, nikos, small_blocks, merged):
        maria.put("docs/x", b"0123456789abcdef!")
        merged()
        assert nikos.put_hashmap("own/copy", b"0123456789abcdef!", small_blocks).status_code == 201
        assert AccountBlock.objects.filter(account__name=nikos.uuid).count() == 3

    def test_over_the_targets_quota_nothing_of_the_container_is_copied(self, maria, nikos, merged):
        from astakos.models import Holding

        maria.put("docs/x", b"hello")
        Holding.objects.filter(holder=f"user:{nikos.uuid}").update(limit=3)
        with pytest.raises(CommandError):
            merged()
        assert nikos.head("docs").status_code == 404
        assert in_sync()

    def test_an_account_is_not_merged_with_itself(self, maria, monkeypatch):
        with pytest.raises(CommandError):
            run("merge", maria.uuid, maria.uuid, typed="yes", monkeypatch=monkeypatch)


def test_export_quota_writes_the_limit_of_every_account(maria, nikos, tmp_path: Path):
    file = tmp_path / "limits"
    run("export-quota", "--location", str(file))
    expected = [f"{person.uuid} pithos.diskspace {1 << 30}" for person in (maria, nikos)]
    assert sorted(file.read_text().splitlines()) == sorted(expected)
    with pytest.raises(CommandError):
        run("export-quota", "--location", str(tmp_path / "no" / "such"))


def test_container_quota_of_one_and_of_all(maria, nikos):
    nikos.put("docs")

    def quotas() -> list[str]:
        return [person.head("docs")["X-Container-Policy-Quota"] for person in (maria, nikos)]

    run("set-container-quota", "docs", "1000", "--dry")
    assert quotas() == ["0", "0"]
    run("set-container-quota", "docs", "1000", "--account", maria.uuid)
    assert quotas() == ["1000", "0"]
    rows = json.loads(run("--output-format", "json", "set-container-quota", "docs", "2000"))
    assert {row["account"] for row in rows} == {maria.uuid, nikos.uuid}
    assert quotas() == ["2000", "2000"]
    assert maria.put("docs/big", bytes(2001)).status_code == 413
    for wrong in (["nothing", "1", "--account", maria.uuid], ["docs", "-1"], ["docs", "1", "--account", "x"]):
        with pytest.raises(CommandError):
            run("set-container-quota", *wrong)


def test_the_program_of_the_old_name_runs_the_command(monkeypatch, capfd, maria):
    monkeypatch.setattr(sys, "argv", ["pithos-manage-accounts", "list", "--no-headers"])
    assert accounts_program.main() == 0
    assert capfd.readouterr().out.split() == [maria.uuid]
