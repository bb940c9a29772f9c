"""The ExtStorage provider ``snffile``: what its scripts do to the files of volumes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gtools.extstorage import install, request, store
from gtools.extstorage.errors import StorageError
from gtools.extstorage.store import FileStore

pytestmark = pytest.mark.unit


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Loop devices by the file they show, without a kernel."""
    attached: dict[str, str] = {}

    def losetup(arguments: list[str]) -> str:
        if arguments[0] == "--associated":
            return attached.get(arguments[1], "")
        if arguments[0] == "--find":
            attached[arguments[-1]] = f"/dev/loop{len(attached)}"
            return attached[arguments[-1]] + "\n"
        if arguments[0] == "--detach":
            path = next(path for path, device in attached.items() if device == arguments[1])
            del attached[path]
        return ""

    monkeypatch.setattr(store, "_losetup", losetup)
    return attached


@pytest.fixture
def files(tmp_path: Path, devices: dict[str, str]) -> FileStore:
    return FileStore(tmp_path)


def ask(**environment: str) -> request.Request:
    return request.read({"VOL_NAME": "uuid.ext.disk0", "VOL_CNAME": "snf-vol-1", **environment})


def test_a_volume_that_grew_on_no_server_gets_its_room(files: FileStore, tmp_path: Path) -> None:
    files.create(ask(VOL_SIZE="16"))
    for size in ("32", "24"):
        files.create(ask(VOL_SIZE=size, EXTP_REUSE_DATA="True"))
    assert (tmp_path / "snf-vol-1").stat().st_size == 32 << 20


def test_a_volume_is_made_shown_and_removed(
    files: FileStore, tmp_path: Path, devices: dict[str, str]
) -> None:
    files.create(ask(VOL_SIZE="16"))
    path = tmp_path / "snf-vol-1"
    assert path.stat().st_size == 16 << 20
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert files.attach(ask()) == files.attach(ask()) == f"/dev/loop0\nkvm:{path}"
    files.remove(ask())
    assert not path.exists()
    assert not devices
    files.detach(ask())
    files.remove(ask())


def test_data_survive_their_disk_and_are_used_again(files: FileStore, tmp_path: Path) -> None:
    files.create(ask(VOL_SIZE="1"))
    path = tmp_path / "snf-vol-1"
    data = b"data".ljust(1 << 20, b"\0")
    path.write_bytes(data)
    files.remove(ask(EXTP_KEEP_DATA="True"))
    files.create(ask(VOL_SIZE="1", EXTP_REUSE_DATA="True"))
    assert path.read_bytes() == data


def test_nothing_is_overwritten_and_nothing_made_up(files: FileStore) -> None:
    files.create(ask(VOL_SIZE="1"))
    with pytest.raises(StorageError, match="exists already"):
        files.create(ask(VOL_SIZE="1", EXTP_REUSE_DATA="False"))
    files.remove(ask())
    for action in (files.attach, files.grow):
        with pytest.raises(StorageError, match="no volume"):
            action(ask(VOL_NEW_SIZE="2"))
    with pytest.raises(StorageError, match="no volume"):
        files.create(ask(VOL_SIZE="1", EXTP_REUSE_DATA="True"))


def test_a_volume_grows_and_never_shrinks(files: FileStore, tmp_path: Path) -> None:
    files.create(ask(VOL_SIZE="1"))
    files.attach(ask())
    files.grow(ask(VOL_NEW_SIZE="2"))
    assert (tmp_path / "snf-vol-1").stat().st_size == 2 << 20
    with pytest.raises(StorageError, match="shrink"):
        files.grow(ask(VOL_NEW_SIZE="1"))


def test_a_disk_that_is_named_later_is_found_by_its_name(files: FileStore, tmp_path: Path) -> None:
    unnamed = {"VOL_NAME": "uuid.ext.disk0"}
    files.create(request.read({**unnamed, "VOL_SIZE": "1"}))
    assert (tmp_path / "uuid.ext.disk0").exists()
    files.attach(ask())
    assert [path.name for path in tmp_path.iterdir()] == ["snf-vol-1"]


@pytest.mark.parametrize(
    "environment",
    [
        {"VOL_CNAME": "../etc/passwd"},
        {"VOL_CNAME": ".hidden"},
        {"VOL_CNAME": "a/b"},
        {"VOL_NAME": ""},
        {"VOL_SIZE": "-1"},
        {"VOL_SIZE": "1e3"},
        {"EXTP_KEEP_DATA": "maybe"},
    ],
)
def test_requests_that_are_malformed(environment: dict[str, str]) -> None:
    with pytest.raises(StorageError):
        ask(**environment)


def test_a_store_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="missing"):
        FileStore(tmp_path / "none").verify(ask())


def test_the_installed_scripts_do_their_action(tmp_path: Path) -> None:
    target, volumes = tmp_path / "snffile", tmp_path / "volumes"
    volumes.mkdir()
    root = Path(__file__).resolve().parents[2]
    install.install(str(target), sys.executable, store=str(volumes), python_path=str(root))
    assert (target / "parameters.list").read_text().splitlines()[0].startswith("reuse_data ")
    environment = {"PATH": os.environ["PATH"], "VOL_NAME": "x", "VOL_CNAME": "snf-vol-2", "VOL_SIZE": "1"}
    made = subprocess.run([target / "create"], env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert (volumes / "snf-vol-2").exists()
    again = subprocess.run([target / "create"], env=environment, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert "exists already" in again.stderr


def test_relative_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="absolute"):
        install.install(str(tmp_path), "python", store="/srv/x")
