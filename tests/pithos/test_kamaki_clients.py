"""The last released kamaki and curl against a live site: what users do with their files."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.cache import cache

from astakos import public as astakos
from astakos.models import Resource
from pithos.public import service_definitions
from tests.lab.instance import Unavailable
from tests.lab.kamaki import Kamaki, kamaki_program
from tests.lab.packages import why_missing
from tests.pithos.conftest import GIB, Person

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
]

#: Small blocks, so that files of several blocks are sent quickly; kamaki asks for the size.
BLOCK = 64 << 10


@dataclass
class Account:
    """A user with his kamaki."""

    person: Person
    kamaki: Kamaki

    def __call__(self, *arguments: str | Path) -> str:
        return self.kamaki(*arguments)

    @property
    def uuid(self) -> str:
        return self.person.uuid


@pytest.fixture
def accounts(live_server, settings, tmp_path_factory) -> Callable[[str], Account]:
    """Users of a live site that serves identity and object storage."""
    try:
        program = kamaki_program()
    except Unavailable as error:
        pytest.skip(str(error))
    cache.clear()
    settings.ASTAKOS_BASE_URL = f"{live_server.url}/astakos"
    settings.PITHOS_BASE_URL = f"{live_server.url}/pithos"
    settings.PITHOS_BACKEND_BLOCK_SIZE = BLOCK
    for name, services in (
        ("astakos", astakos.service_definitions()),
        ("pithos", service_definitions()),
    ):
        astakos.register_component(
            name=name,
            base_url=f"{live_server.url}/{name}",
            ui_url=f"{live_server.url}/{name}/ui",
            services=services,
        )
    Resource.objects.filter(name="pithos.diskspace").update(uplimit=GIB)

    def make(name: str) -> Account:
        created = astakos.create_user(
            email=f"{name}@lab.example", password="a-password", first_name=name, last_name="Doe"
        )
        client = Kamaki(program, tmp_path_factory.mktemp(name))
        client.configure(auth_url=f"{live_server.url}/astakos/identity/v2.0", token=created.token)
        return Account(Person(created.uuid, created.token), client)

    return make


@pytest.fixture
def maria(accounts) -> Account:
    account = accounts("maria")
    account.person.put("docs")
    return account


def test_files_go_up_and_come_back(maria: Account, tmp_path: Path) -> None:
    sent, received = tmp_path / "sent", tmp_path / "received"
    # Several blocks, one of zeros, one twice, the last one short.
    block = secrets.token_bytes(BLOCK)
    data = block + bytes(BLOCK) + block + secrets.token_bytes(1234)
    sent.write_bytes(data)
    maria("file", "upload", sent, "/docs/ένα αρχείο")
    maria("file", "download", "/docs/ένα αρχείο", received)
    assert received.read_bytes() == data
    assert maria.person.usage() == len(data)
    # An unchanged file is refused without --force, and costs no block with it.
    assert maria.kamaki.run(["file", "upload", sent, "/docs/ένα αρχείο"]).returncode != 0
    maria("file", "upload", sent, "/docs/ένα αρχείο", "--force")
    info = json.loads(maria("file", "info", "/docs/ένα αρχείο", "--output-format", "json"))
    assert (info["content-length"], len(info["etag"])) == (str(len(data)), 64)
    hashmap = json.loads(maria("file", "info", "/docs/ένα αρχείο", "--hashmap", "--output-format", "json"))
    assert hashmap["bytes"] == len(data)
    assert hashmap["hashes"][0] == hashmap["hashes"][2]
    # Half a file is completed.
    received.write_bytes(data[:BLOCK] + b"damaged")
    maria("file", "download", "/docs/ένα αρχείο", received, "--resume")
    assert received.read_bytes() == data
    # kamaki cannot upload an empty file; it divides by the size.
    maria("file", "create", "/docs/empty")
    assert maria.person.head("docs/empty")["Content-Length"] == "0"


def test_a_part_of_a_file_is_read_and_written(maria: Account, tmp_path: Path) -> None:
    maria.person.put("docs/x", b"hello world", type="text/plain")
    assert maria("file", "cat", "/docs/x") == "hello world"
    assert maria("file", "cat", "/docs/x", "--range", "6-10") == "world"
    more = tmp_path / "more"
    more.write_bytes(b", and all")
    maria("file", "append", more, "/docs/x")
    assert maria.person.read("docs/x") == b"hello world, and all"
    more.write_bytes(b"WORLD")
    maria("file", "overwrite", more, "/docs/x", "--from", "6", "--to", "10")
    assert maria.person.read("docs/x") == b"hello WORLD, and all"
    maria("file", "truncate", "/docs/x", "--size", "5")
    assert maria.person.read("docs/x") == b"hello"
    assert maria.person.head("docs/x")["Content-Type"] == "text/plain"
    assert maria.person.usage() == 5


def test_copies_moves_and_versions(maria: Account) -> None:
    for data in (b"first", b"second"):
        maria.person.put("docs/x", data)
    maria("file", "copy", "/docs/x", "/docs/copy")
    assert maria.person.read("docs/copy") == b"second"
    maria("file", "move", "/docs/copy", "/docs/moved")
    assert maria.person.names("docs") == ["moved", "x"]
    shown = json.loads(maria("file", "info", "/docs/x", "--object-versions", "--output-format", "json"))
    first, _ = shown["/docs/x"]
    serial = str(first["version_id"])
    assert maria("file", "cat", "/docs/x", "--object-version", serial) == "first"
    maria("file", "copy", "/docs/x", "/docs/old", "--source-version", serial)
    assert maria.person.read("docs/old") == b"first"
    # Without --force nothing is overwritten.
    assert maria.kamaki.run(["file", "copy", "/docs/x", "/docs/old"]).returncode != 0
    maria("file", "copy", "/docs/x", "/docs/old", "--force")
    assert maria.person.read("docs/old") == b"second"


def test_whole_folders(maria: Account, tmp_path: Path) -> None:
    source = tmp_path / "tree"
    (source / "a" / "b").mkdir(parents=True)
    (source / "one").write_bytes(b"1")
    (source / "a" / "two").write_bytes(b"22")
    (source / "a" / "b" / "three").write_bytes(secrets.token_bytes(BLOCK + 1))
    maria("file", "upload", source, "/docs/tree", "--recursive")
    uploaded = maria.person.names("docs")
    assert {"tree/one", "tree/a/two", "tree/a/b/three"} <= set(uploaded)
    maria("file", "mkdir", "/docs/dir")
    assert maria.person.head("docs/dir")["Content-Type"] == "application/directory"
    maria("file", "copy", "/docs/tree", "/docs/dir/copy", "--recursive")
    assert maria.person.read("docs/dir/copy/a/two") == b"22"
    maria("file", "download", "/docs/tree", tmp_path / "back", "--recursive")
    files = [path.relative_to(source) for path in source.rglob("*") if path.is_file()]
    back = next(path.parent for path in (tmp_path / "back").rglob("one"))
    assert all((back / file).read_bytes() == (source / file).read_bytes() for file in files)
    listing = maria("file", "list", "/docs/tree", "--recursive")
    assert "three" in listing
    # For a folder kamaki asks whatever --yes says.
    maria.kamaki("file", "delete", "/docs/dir", "--recursive", "--yes", input="y\n")
    assert not [name for name in maria.person.names("docs") if name.startswith("dir")]


def test_publishing_and_sharing(maria: Account, accounts: Callable[[str], Account], tmp_path: Path) -> None:
    nikos = accounts("nikos")
    maria.person.put("docs/x", b"hello")
    url = re.search(r"http\S+", maria("file", "publish", "/docs/x"))
    assert url is not None and curl(url[0]) == b"hello"
    assert "x" in maria("file", "list", "/docs", "--public")
    maria("file", "unpublish", "/docs/x")
    assert "404" in curl("-o", tmp_path / "none", "-w", "%{http_code}", url[0]).decode()

    maria("group", "create", "friends", "--uuid", nikos.uuid)
    assert nikos.uuid in maria("group", "list")
    maria("file", "modify", "/docs/x", "--read-permission", f"{maria.uuid}:friends")
    assert f"{maria.uuid}:friends" in maria("file", "info", "/docs/x", "--sharing")
    assert maria.uuid in nikos("sharer", "list")
    assert nikos("file", "cat", "/docs/x", "--account", maria.uuid) == "hello"
    assert "x" in nikos("file", "list", "/docs", "--account", maria.uuid)
    nikos("container", "create", "own")
    nikos("file", "copy", "/docs/x", "/own/x", "--account", maria.uuid, "--to-account", nikos.uuid)
    assert nikos.person.read("own/x") == b"hello"
    maria("group", "delete", "friends")
    assert nikos.kamaki.run(["file", "cat", "/docs/x", "--account", maria.uuid]).returncode != 0
    maria("file", "modify", "/docs/x", "--write-permission", nikos.uuid)
    (tmp_path / "new").write_bytes(b"written by nikos")
    nikos.person.put("docs")
    nikos("file", "upload", tmp_path / "new", "/docs/x", "--account", maria.uuid, "--force")
    assert maria.person.read("docs/x") == b"written by nikos"
    maria("file", "modify", "/docs/x", "--no-permissions")
    assert "X-Object-Sharing" not in maria.person.head("docs/x").headers


def test_metadata_and_containers(maria: Account) -> None:
    maria.person.put("docs/x", b"hello", type="text/plain")
    maria("file", "modify", "/docs/x", "--metadata-add", "Χρώμα=γαλάζιο", "--metadata-add", "size=5")
    shown = json.loads(maria("file", "info", "/docs/x", "--metadata", "--output-format", "json"))
    assert "γαλάζιο" in shown.values()
    maria("file", "modify", "/docs/x", "--metadata-del", "size")
    assert "X-Object-Meta-Size" not in maria.person.head("docs/x").headers

    created = ["container", "create", "box", "--limit", "10", "--versioning", "none", "--meta", "Color=blue"]
    maria(*created)
    head = maria.person.head("box")
    policies = [head[f"X-Container-Policy-{name}"] for name in ("Quota", "Versioning")]
    assert (policies, head["X-Container-Meta-Color"]) == (["10", "none"], "blue")
    maria("container", "modify", "box", "--size-limit", "1KiB")
    maria("container", "modify", "box", "--versioning", "auto")
    head = maria.person.head("box")
    assert (head["X-Container-Policy-Quota"], head["X-Container-Policy-Versioning"]) == ("1024", "auto")
    assert {"box", "docs"} <= set(maria("container", "list").split())
    maria.person.put("box/x", b"hello")
    maria("container", "reassign", "box", "--project-id", maria.uuid)
    maria("container", "empty", "box", "--yes")
    assert maria.person.names("box") == []
    maria("container", "delete", "box", "--yes")
    assert maria.person.head("box").status_code == 404
    maria("container", "delete", "docs", "--recursive", "--yes")
    assert maria.person.names("") == []
    assert maria.person.usage() == 0


def curl(*arguments: str | Path) -> bytes:
    program = shutil.which("curl")
    if program is None:
        pytest.skip(why_missing("curl is not installed"))
    command = [program, "-s", "--max-time", "20", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_curl_asks_for_parts_and_changes(maria: Account, live_server, tmp_path: Path) -> None:
    url = f"{live_server.url}/pithos/object-store/v1/{maria.uuid}/docs/x"
    token = ["-H", f"X-Auth-Token: {maria.person.token}"]
    file, headers = tmp_path / "file", tmp_path / "headers"
    data = secrets.token_bytes(2 * BLOCK + 100)
    file.write_bytes(data)
    code = ["-o", tmp_path / "out", "-w", "%{http_code}"]
    md5 = hashlib.md5(data).hexdigest()
    assert curl(*token, *code, "-T", file, "-H", f"ETag: {md5}", url) == b"201"
    assert curl(*token, *code, "-T", file, "-H", f"ETag: {'0' * 32}", url) == b"422"
    assert curl(*token, "-D", headers, url) == data
    etag = re.search(r"(?im)^etag: (\S+)", headers.read_text())[1]
    assert curl(*token, "-r", "10-19", url) == data[10:20]
    assert curl(*token, "-r", "-7", url) == data[-7:]
    assert curl(*token, "-r", f"{BLOCK - 5}-{BLOCK + 5}", url) == data[BLOCK - 5 : BLOCK + 6]
    assert curl(*token, *code, "-r", f"{len(data)}-", url) == b"416"
    parts = curl(*token, "-r", "0-3,100-103", url)
    assert parts.count(b"Content-Range: bytes ") == 2 and data[100:104] in parts
    assert curl(*token, *code, "-H", f'If-None-Match: "{etag}"', url) == b"304"
    assert curl(*token, *code, "-H", "If-Match: wrong", url) == b"412"
    assert curl(*token, *code, "-H", f"If-Range: {etag}", "-r", "0-0", url) == b"206"
    assert curl(*token, *code, "-H", "If-Range: wrong", "-r", "0-0", url) == b"200"
    assert curl(*token, *code, "-z", "1 Jan 2001", url) == b"200"
    assert curl(*token, *code, "-z", "1 Jan 2035", url) == b"304"
    assert curl(*token, *code, "-T", file, "-H", "If-None-Match: *", url) == b"412"
    # A broken-off download goes on where it stopped.
    (tmp_path / "part").write_bytes(data[:1000])
    curl(*token, "-C", "-", "-o", tmp_path / "part", url)
    assert (tmp_path / "part").read_bytes() == data
    assert curl(*token, *code, "-X", "DELETE", url) == b"204"
