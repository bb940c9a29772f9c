"""Today's clients of Swift against a live site: swiftclient, the OpenStack SDK, rclone and curl."""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from django.core.cache import cache
from django.core.servers import basehttp
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from astakos import public as astakos
from astakos.logic import client_files
from astakos.models import Resource, User
from pithos.public import service_definitions
from tests.lab import programs
from tests.lab.packages import why_missing
from tests.lazily import Lazily
from tests.markers import needs_postgres
from tests.pithos.conftest import GIB, Person

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), needs_postgres]
openstack, swiftclient = Lazily("openstack"), Lazily("swiftclient")
MIB = 1 << 20


class Chunks(io.RawIOBase):
    """A body in chunks as a stream of its bytes; the test's server, unlike a real one, leaves that to us."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = 0
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left and not self._is_over:
            self._left = int(self._stream.readline(100).partition(b";")[0], 16)
            self._is_over = not self._left
            if self._is_over:
                self._stream.readline(2)
        piece = self._stream.read(min(len(buffer), self._left)) if self._left else b""
        buffer[: len(piece)] = piece
        self._left -= len(piece)
        if piece and not self._left:
            self._stream.readline(2)
        return len(piece)


class ChunkHandler(basehttp.ServerHandler):
    """Django's handler of a request, which also reads chunks."""

    def __init__(self, stdin: Any, stdout: Any, stderr: Any, environ: Any, **options: Any) -> None:
        super().__init__(stdin, stdout, stderr, environ, **options)
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", ""):
            self.stdin = io.BufferedReader(Chunks(stdin))


@pytest.fixture(autouse=True)
def chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basehttp, "ServerHandler", ChunkHandler)


@pytest.fixture
def person(live_server: LiveServer, settings: Settings) -> Person:
    """A user of a served cloud."""
    cache.clear()
    settings.ASTAKOS_BASE_URL = f"{live_server.url}/astakos"
    settings.PITHOS_BASE_URL = f"{live_server.url}/pithos"
    for name, services in (("astakos", astakos.service_definitions()), ("pithos", service_definitions())):
        url = f"{live_server.url}/{name}"
        astakos.register_component(name=name, base_url=url, ui_url=f"{url}/ui", services=services)
    Resource.objects.filter(name="pithos.diskspace").update(uplimit=GIB)
    created = astakos.create_user(
        email="swift@lab.example", password="a-password", first_name="S", last_name="W"
    )
    return Person(created.uuid, created.token)


@pytest.fixture
def auth(live_server: LiveServer) -> str:
    """Where clients of the oldest login ask for a token."""
    return f"{live_server.url}/pithos/object-store/v1/"


@pytest.fixture
def connection(person: Person, auth: str) -> Any:
    return swiftclient.client.Connection(
        authurl=auth, user=person.uuid, key=person.token, auth_version="1", retries=0
    )


def run(program: str, *arguments: str | Path, **environment: str) -> str:
    found = shutil.which(program, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(why_missing(f"{program} is not installed"))
    result = subprocess.run(
        [found, *map(str, arguments)],
        env=plain_environment() | environment,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    return result.stdout


def plain_environment() -> dict[str, str]:
    """Return the environment without anybody's account of OpenStack."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "ST_"))}


def make_tree(folder: Path) -> dict[str, str]:
    """Make files and return their MD5 by relative path."""
    contents = {"a.txt": b"1" * 100, "d/b.bin": secrets.token_bytes(5 * MIB), "d/e/empty": b"", "ένα": b"x"}
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return {name: hashlib.md5(data).hexdigest() for name, data in contents.items()}


def test_swiftclient_the_library(connection: Any) -> None:
    connection.put_container("c", headers={"X-Container-Meta-Colour": "red"})
    assert connection.head_container("c")["x-container-meta-colour"] == "red"
    etag = connection.put_object("c", "o é", contents=b"0123456789", content_type="text/x-a")
    assert etag == hashlib.md5(b"0123456789").hexdigest()
    for number in range(5):
        connection.put_object("c", f"n{number}", contents=b"x")
    _, listed = connection.get_container("c", limit=2, full_listing=True)
    assert [item["name"] for item in listed] == ["n0", "n1", "n2", "n3", "n4", "o é"]
    headers, body = connection.get_object("c", "o é", headers={"Range": "bytes=2-4"})
    assert body == b"234" and headers["content-range"] == "bytes 2-4/10"
    connection.post_object("c", "o é", headers={"X-Object-Meta-A": "ένα", "Content-Type": "text/x-b"})
    assert connection.head_object("c", "o é")["x-object-meta-a"] == "ένα"
    connection.copy_object("c", "o é", destination="/c/copy")
    assert connection.get_object("c", "copy")[1] == b"0123456789"
    with pytest.raises(swiftclient.client.ClientException) as refused:
        connection.delete_container("c")
    assert refused.value.http_status == 409
    assert connection.get_capabilities()["swift"]["max_file_size"] > 0
    assert int(connection.head_account()["x-account-object-count"]) == 7


def test_a_temporary_address(connection: Any, live_server: LiveServer, person: Person) -> None:
    connection.post_account({"X-Account-Meta-Temp-URL-Key": "secret"})
    connection.put_container("c")
    connection.put_object("c", "o", contents=b"12345")
    path = swiftclient.utils.generate_temp_url(
        f"/pithos/object-store/v1/AUTH_{person.uuid}/c/o".replace("/pithos/object-store", ""),
        60, "secret", "GET", digest="sha256",
    )  # fmt: skip
    address = f"{live_server.url}/pithos/object-store{path}"
    assert run("curl", "-sS", "-f", address) == "12345"
    assert (
        run("curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", address.replace("/c/o", "/c/p")) == "401"
    )


def test_swiftclient_the_program(person: Person, auth: str, tmp_path: Path) -> None:
    sums = make_tree(tmp_path / "in")
    login = {"ST_AUTH": auth, "ST_USER": person.uuid, "ST_KEY": person.token}

    def swift(*arguments: str | Path) -> str:
        words = ["swift", *map(str, arguments)]
        result = programs.swift().run(words, environment=plain_environment() | login)
        assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
        return result.stdout

    swift("upload", "c", tmp_path / "in", "--object-name", "in")
    swift("upload", "c", tmp_path / "in/d/b.bin", "--object-name", "dlo", "-S", str(2 * MIB))
    swift("upload", "c", tmp_path / "in/d/b.bin", "--object-name", "slo", "-S", str(2 * MIB), "--use-slo")
    listed = swift("list", "c", "--prefix", "in/").split()
    assert listed == sorted((f"in/{name}" for name in sums), key=str.encode)
    assert "Objects" in swift("stat") and "Content Length: 5242880" in swift("stat", "c", "slo")
    for name in ("dlo", "slo", "in/d/b.bin"):
        swift("download", "c", name, "-o", tmp_path / "out")
        assert hashlib.md5((tmp_path / "out").read_bytes()).hexdigest() == sums["d/b.bin"]
    swift("delete", "c", "slo")
    assert swift("list", "c_segments", "--prefix", "slo").split() == []
    swift("delete", "--all")
    assert swift("list").split() == []


def test_openstack_sdk_with_the_file_for_it(person: Person, tmp_path: Path) -> None:
    sums = make_tree(tmp_path)
    config = tmp_path / "clouds.yaml"
    config.write_text(client_files.clouds_yaml(User.objects.get(uuid=person.uuid)).content)
    found = openstack.config.OpenStackConfig(config_files=[str(config)], load_envvars=False)
    cloud: Any = openstack.connection.Connection(config=found.get_one(client_files.cloud_name()))
    cloud.create_container("c")
    cloud.create_object("c", "whole", filename=str(tmp_path / "d/b.bin"))
    cloud.create_object("c", "parts", filename=str(tmp_path / "d/b.bin"), segment_size=2 * MIB)
    assert cloud.object_store.get_object_metadata("parts", "c").is_static_large_object
    for name in ("whole", "parts"):
        cloud.get_object("c", name, outfile=str(tmp_path / "out"))
        assert hashlib.md5((tmp_path / "out").read_bytes()).hexdigest() == sums["d/b.bin"]
    assert [item.name for item in cloud.object_store.objects("c", prefix="w")] == ["whole"]
    cloud.update_object("c", "whole", colour="red")
    assert cloud.get_object_metadata("c", "whole")["colour"] == "red"
    for item in list(cloud.object_store.objects("c")):
        cloud.delete_object("c", item.name)
    cloud.delete_container("c")
    assert not list(cloud.object_store.containers())


def test_duplicity(person: Person, auth: str, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    sums = make_tree(source)
    login = {
        "SWIFT_AUTHURL": auth, "SWIFT_USERNAME": person.uuid, "SWIFT_PASSWORD": person.token,
        "SWIFT_AUTHVERSION": "1", "HOME": str(tmp_path),
    }  # fmt: skip

    def duplicity(*arguments: str | Path) -> str:
        # Its volumes are smaller than the file, so that there are several; metadata is kept locally, too.
        return run("duplicity", *arguments, "--no-encryption", "--volsize", "2", "--num-retries", "1",
                   "--archive-dir", tmp_path / "archive", **login)  # fmt: skip

    duplicity("full", source, "swift://backup")
    (source / "a.txt").write_bytes(b"changed")
    duplicity("incremental", source, "swift://backup")
    shutil.rmtree(tmp_path / "archive")
    duplicity("restore", "swift://backup", target)
    assert (target / "a.txt").read_bytes() == b"changed"
    assert hashlib.md5((target / "d/b.bin").read_bytes()).hexdigest() == sums["d/b.bin"]
    assert "2" in duplicity("collection-status", "swift://backup")


def test_rclone_with_the_file_for_it(person: Person, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    sums = make_tree(source)
    config = tmp_path / "rclone.conf"
    text = client_files.rclone_conf(User.objects.get(uuid=person.uuid)).content
    config.write_text(text.replace(f"[{client_files.cloud_name()}]", "[s]"))
    remote = {"RCLONE_CONFIG": str(config), "RCLONE_SWIFT_CHUNK_SIZE": "2M"}

    def rclone(*arguments: str | Path) -> str:
        return run("rclone", "--retries", "1", *arguments, **remote)

    rclone("copy", source, "s:c")
    rclone("check", source, "s:c")
    assert set(rclone("lsf", "-R", "--files-only", "s:c").splitlines()) == set(sums)
    (source / "a.txt").write_bytes(b"changed")
    (source / "ένα").unlink()
    os.utime(source / "d/e/empty", (time.time(), 1_600_000_000))
    rclone("sync", source, "s:c")
    rclone("check", source, "s:c")
    rclone("copy", "s:c", target)
    assert hashlib.md5((target / "d/b.bin").read_bytes()).hexdigest() == sums["d/b.bin"]
    assert int((target / "d/e/empty").stat().st_mtime) == 1_600_000_000
    rclone("moveto", "s:c/a.txt", "s:c/f/z.txt")
    assert rclone("cat", "s:c/f/z.txt") == "changed"
    rclone("purge", "s:c")
    assert "c/" not in rclone("lsf", "s:").splitlines()
