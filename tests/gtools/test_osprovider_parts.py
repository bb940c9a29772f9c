"""Parts of the OS provider on their own: parameters, formats, guest files, accounts."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtools.osprovider import accounts, node_config, parameters, qcow2
from gtools.osprovider.errors import DeployError
from gtools.osprovider.image_root import ImageRoot
from gtools.osprovider.pithos_map import object_digest
from gtools.osprovider.target import Disk
from tests.gtools.disk_images import root_tree

pytestmark = pytest.mark.unit


# Parameters


def test_properties_have_upper_case_keys() -> None:
    found = parameters.parse({"img_id": "null", "img_properties": '{"osfamily": "linux", "n": 5}'})
    assert found.properties == {"OSFAMILY": "linux", "N": "5"}


@pytest.mark.parametrize(
    ("properties", "task", "excluded"),
    [
        ({"EXCLUDE_ALL_TASKS": "yes"}, "ChangePassword", True),
        ({"EXCLUDE_TASK_CHANGEPASSWORD": "yes"}, "ChangePassword", True),
        ({"exclude_task_changepassword": "YES"}, "ChangePassword", True),
        ({"EXCLUDE_TASK_CHANGEPASSWORD": "no"}, "ChangePassword", False),
        ({"EXCLUDE_TASK_ADDSWAP": "yes"}, "ChangePassword", False),
        ({}, "ChangePassword", False),
    ],
)
def test_tasks_are_excluded(properties: dict[str, str], task: str, excluded: bool) -> None:
    found = parameters.parse({"img_id": "null", "img_properties": json.dumps(properties)})
    assert found.excludes(task) is excluded


def test_secrets_are_not_in_the_representation() -> None:
    personality = json.dumps([{"path": "/x", "contents": base64.b64encode(b"hidden").decode()}])
    found = parameters.parse({"img_id": "null", "img_passwd": "hidden", "img_personality": personality})
    assert "hidden" not in repr(found)


@pytest.mark.parametrize(("mode", "bits"), [(None, 0o440), (420, 0o644), ("0644", 0o644), ("755", 0o755)])
def test_file_modes(mode: object, bits: int) -> None:
    personality = json.dumps([{"path": "/x", "contents": "", "mode": mode}])
    [file] = parameters.parse({"img_id": "null", "img_personality": personality}).personality
    assert file.mode == bits


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"img_id": ""},
        {"img_id": 5},
        {"img_id": "null", "img_format": "vmdk"},
        {"img_id": "null", "img_format": "extdump"},
        {"img_id": "null", "img_properties": "["},
        {"img_id": "null", "img_properties": "[]"},
        {"img_id": "null", "img_properties": "[" * 100_000},
        {"img_id": "null", "img_personality": "{}"},
        {"img_id": "null", "img_personality": "[5]"},
        {"img_id": "null", "img_personality": '[{"path": 5}]'},
        {"img_id": "null", "img_personality": '[{"path": "/x", "contents": "a"}]'},
        {"img_id": "null", "img_personality": '[{"path": "/x", "mode": 99999}]'},
        {"img_id": "null", "img_personality": '[{"path": "/x", "mode": "rw"}]'},
        {"img_id": "null", "img_personality": '[{"path": "/x\\u0000y"}]'},
        {"img_id": "null", "auth_keys": "ssh-rsa \x1b[31m"},
        {"img_id": "null", "img_passwd": "a\0b"},
    ],
)
def test_bad_parameters_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(DeployError):
        parameters.parse(values)


def test_empty_values_of_the_service_override_nothing() -> None:
    environment = {"OSP_CONFIG_URL": "u", "OSP_IMG_ID": "local://a", "OSP_IMG_FORMAT": "raw"}
    found = parameters.from_environment(environment, lambda url: {"img_id": "null", "img_format": None})
    assert (found.image_id, found.image_format) == ("null", "raw")


@pytest.mark.parametrize("url", ["ftp://host/x", "file:///etc/passwd", "nonsense"])
def test_only_web_addresses_are_fetched(url: str) -> None:
    with pytest.raises(DeployError):
        parameters.ConfigClient(sleep=lambda seconds: None).fetch(url)


def test_unreachable_service_is_tried_again_then_named() -> None:
    pauses: list[float] = []
    with pytest.raises(DeployError, match=r"127\.0\.0\.1: ConnectionRefusedError"):
        parameters.ConfigClient(sleep=pauses.append).fetch("http://127.0.0.1:1/params/secret")
    assert len(pauses) == parameters.ATTEMPTS - 1


def test_unreadable_certificates_are_named_at_once(tmp_path: Path) -> None:
    pauses: list[float] = []
    client = parameters.ConfigClient(str(tmp_path / "absent.pem"), sleep=pauses.append)
    with pytest.raises(DeployError, match=r"absent\.pem"):
        client.fetch("https://cloud.lab.example/params/secret")
    assert pauses == []


# Node configuration


def test_configuration_is_shell_like(tmp_path: Path) -> None:
    file = tmp_path / "conf"
    file.write_text(
        "# comment\n\nexport IMAGE_DIR='/a b' # why\nPITHOS_BLOCK_SIZE=1024\nUNKNOWN=1\nPROGRESS_MONITOR=\n"
    )
    found = node_config.load(str(file))
    assert (found.image_dir, found.pithos_block_size, found.progress_monitor) == ("/a b", 1024, "")


@pytest.mark.parametrize("line", ["PITHOS_BLOCK_SIZE=x", "PITHOS_BLOCK_SIZE=0", "MOUNT_METHOD=x", "A='"])
def test_wrong_configuration_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "conf"
    file.write_text(line + "\n")
    with pytest.raises(DeployError, match="conf"):
        node_config.load(str(file))


# Disk image formats


def header(**changes: int) -> bytes:
    values = {
        "version": 3,
        "backing": 0,
        "backing_size": 0,
        "cluster_bits": 16,
        "size": 1 << 30,
        "crypt": 0,
        "incompatible": 0,
        "length": 104,
    } | changes
    start = struct.pack(">4sIQIIQI", qcow2.MAGIC, *(values[name] for name in list(values)[:6]))
    start += bytes(72 - len(start))
    start += struct.pack(">QQQII", values["incompatible"], 0, 0, 4, values["length"])
    return start + bytes(4096 - len(start))


def test_plain_header_is_accepted() -> None:
    assert qcow2.check_header(header(), 1 << 40).virtual_size == 1 << 30


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 1},
        {"version": 4},
        {"backing": 100},
        {"backing_size": 10},
        {"cluster_bits": 8},
        {"cluster_bits": 40},
        {"size": 0},
        {"size": (1 << 40) + 1},
        {"crypt": 2},
        {"incompatible": 4},
        {"incompatible": 1 << 20},
        {"length": 1 << 31},
    ],
)
def test_risky_header_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(DeployError):
        qcow2.check_header(header(**changes), 1 << 40)


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_damaged_headers_never_crash(tail: bytes) -> None:
    for start in (tail, qcow2.MAGIC + tail, header()[: len(tail)] + tail):
        try:
            qcow2.check_header(start, 1 << 40)
        except DeployError:
            pass


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"KDMV", "vmdk"),
        (b"vhdxfile", "vhdx"),
        (b"conectix", "vpc"),
        (bytes(64) + b"\x7f\x10\xda\xbe", "vdi"),
        (b"LUKS\xba\xbe", "luks"),
        (b"\x1f\x8b\x08", "gzip"),
        (bytes(512), "raw"),
        (b"", "raw"),
    ],
)
def test_other_formats_are_recognised(start: bytes, name: str) -> None:
    assert qcow2.detect(start) == name
    if name != "raw":
        with pytest.raises(DeployError, match=name):
            qcow2.require_format(start, "raw")


def test_hash_tree_is_padded_to_a_power_of_two() -> None:
    leaves = [bytes([number]) * 32 for number in range(3)]
    assert object_digest(leaves) == object_digest([*leaves, bytes(32)])
    assert object_digest(leaves[:1]) == leaves[0]


# Files of the guest


@pytest.fixture
def guest(tmp_path: Path) -> Any:
    tree = root_tree(tmp_path / "tree")
    with ImageRoot(str(tree)) as root:
        yield root, tree


def test_replaced_file_keeps_owner_and_mode(guest: Any) -> None:
    root, tree = guest
    os.chown(tree / "etc/shadow", 0, 42)
    root.rewrite("/etc/shadow", b"new\n")
    status = (tree / "etc/shadow").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o640, 42)
    assert (tree / "etc/shadow").read_text() == "new\n"
    assert not [name for name in os.listdir(tree / "etc") if name.startswith(".")]


def test_absolute_link_stays_inside(guest: Any, tmp_path: Path) -> None:
    root, tree = guest
    (tree / "data").mkdir()
    (tree / "link").symlink_to("/data")
    root.write("/link/file", b"x", uid=0, gid=0, mode=0o600)
    assert (tree / "data" / "file").read_bytes() == b"x"


@pytest.mark.parametrize("destination", ["/tmp", "../../../../../../../../tmp", "/proc/self/root/tmp"])
def test_link_out_of_the_guest_leads_nowhere(guest: Any, destination: str) -> None:
    root, tree = guest
    (tree / "link").symlink_to(destination)
    with pytest.raises((DeployError, FileNotFoundError)):
        root.write("/link/escaped-from-guest", b"x", uid=0, gid=0, mode=0o600)
    assert not Path("/tmp/escaped-from-guest").exists()


def test_link_as_target_is_replaced_not_followed(guest: Any, tmp_path: Path) -> None:
    root, tree = guest
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    (tree / "file").symlink_to(outside)
    root.write("/file", b"x", uid=0, gid=0, mode=0o600)
    assert outside.read_text() == "untouched"
    assert (tree / "file").read_bytes() == b"x"


def test_special_files_are_not_read(guest: Any) -> None:
    root, tree = guest
    os.mkfifo(tree / "etc" / "pipe")
    with pytest.raises(DeployError, match="regular"):
        root.read("/etc/pipe")


def test_looping_links_are_an_error(guest: Any) -> None:
    root, tree = guest
    (tree / "a").symlink_to("b")
    (tree / "b").symlink_to("a")
    with pytest.raises(DeployError):
        root.read("/a")


def test_directories_are_made_with_owner(guest: Any) -> None:
    root, tree = guest
    root.make_directory("/home/user/.ssh", uid=1000, gid=1001, mode=0o700)
    status = (tree / "home/user/.ssh").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1000, 1001, 0o700)


def test_directory_is_not_replaced(guest: Any) -> None:
    root, _ = guest
    with pytest.raises(DeployError, match="directory"):
        root.write("/etc/ssh", b"x", uid=0, gid=0, mode=0o600)


@pytest.mark.parametrize("path", ["/../x", "a/../../x", "", "/", "x\0y", "/a" * 100])
def test_odd_paths_are_refused(guest: Any, path: str) -> None:
    root, _ = guest
    with pytest.raises((DeployError, ValueError)):
        root.write(path, b"x", uid=0, gid=0, mode=0o600)


# Accounts


def test_passwords_replace_only_the_users_entries(guest: Any) -> None:
    root, tree = guest
    assert accounts.set_passwords(root, ("user", "absent"), "$6$x$y") == ["absent"]
    lines = (tree / "etc/shadow").read_text().splitlines()
    assert lines[0] == "root:*:19000:0:99999:7:::"
    assert lines[1].startswith("user:$6$x$y:") and not lines[1].startswith("user:$6$x$y:19000:")


@pytest.mark.parametrize("hashed", ["", "a:b", "a\nroot::0"])
def test_hash_can_not_break_the_file(guest: Any, hashed: str) -> None:
    root, _ = guest
    with pytest.raises(DeployError):
        accounts.set_passwords(root, ("root",), hashed)


@pytest.mark.parametrize(
    ("method", "start"),
    [
        ("", "$6$"),
        ("sha512", "$6$"),
        ("sha256", "$5$"),
        ("blowfish", "$2b$"),
        ("md5", "$6$"),
        ("sha1", "$6$"),
    ],
)
def test_password_methods(method: str, start: str) -> None:
    first, second = (accounts.hash_password("pässword", method) for _ in range(2))
    assert first.startswith(start) and first != second


def test_owner_may_be_a_number() -> None:
    assert accounts.id_of("1234", {}, "user") == 1234
    assert accounts.id_of("user", {"user": 7}, "user") == 7
    with pytest.raises(DeployError):
        accounts.id_of("99999999999", {}, "user")


# The disk


@given(st.lists(st.tuples(st.integers(0, 300_000), st.booleans()), max_size=6))
@settings(max_examples=40, deadline=None)
def test_disk_holds_exactly_what_was_written(tmp_path_factory: pytest.TempPathFactory, runs: Any) -> None:
    path = tmp_path_factory.mktemp("disk") / "disk"
    content = b"".join((b"x" if filled else b"\0") * length for length, filled in runs)
    path.write_bytes(b"\xff" * (2 * 1024 * 1024))
    pieces = [(len(part), part.rstrip(b"\0")) for part in _parts(content)]
    with Disk(str(path)) as disk:
        assert disk.write(pieces, lambda position: None) == len(content)
        disk.sync()
    found = path.read_bytes()
    assert found[: len(content)] == content
    assert found[len(content) :] == b"\xff" * (len(found) - len(content))


def _parts(content: bytes) -> list[bytes]:
    return [content[at : at + 200_000] for at in range(0, len(content), 200_000)]


def test_shipped_configuration_shows_the_defaults(tmp_path: Path) -> None:
    lines = Path("conf/ganeti/snf-image").read_text().splitlines()
    active = [line[1:] for line in lines if re.match(r"#[A-Z_]+=", line)]
    file = tmp_path / "conf"
    file.write_text("\n".join(active) + "\n")
    assert node_config.load(str(file)) == node_config.NodeConfig()
    assert len(active) == len(node_config.NodeConfig.__dataclass_fields__)
