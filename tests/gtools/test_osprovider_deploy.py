"""Whole deployments by the OS provider's scripts (ganeti-backend contract 7, image contract 7)."""

from __future__ import annotations

import base64
import ctypes
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gtools.osprovider import parameters
from gtools.osprovider.install import DEFINITION, SCRIPTS, install
from gtools.osprovider.loop import loop_device
from tests.gtools.disk_images import (
    BLOCK_SIZE,
    MIB,
    Node,
    debugfs,
    file_system,
    partitioned,
    root_tree,
    store_object,
)
from tests.lab.instance import wait_until

pytestmark = pytest.mark.functional

LINUX = json.dumps({"OSFAMILY": "linux", "ROOT_PARTITION": "1", "USERS": "root user"})
RAW_ONLY = json.dumps({"EXCLUDE_ALL_TASKS": "yes"})
SECRET = "correct horse: battery $taple"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture(scope="module")
def linux_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    tree = root_tree(folder / "tree")
    return partitioned(folder / "disk", file_system(folder / "fs", tree, 16))


def deploy_linux(node: Node, linux_disk: Path, **more: str) -> Any:
    (node.images / "linux").write_bytes(linux_disk.read_bytes())
    node.make_disk(64)
    return node.run(
        "create",
        {"img_id": "local://linux", "img_format": "diskdump", "img_properties": LINUX, **more},
    )


def verify_password(hashed: str, password: str) -> bool:
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    result: bytes = library.crypt(password.encode(), hashed.encode())
    return result.decode() == hashed


def shadow_entry(node: Node, user: str) -> str:
    [line] = [line for line in node.guest_file("/etc/shadow").splitlines() if line.startswith(f"{user}:")]
    return line.split(":")[1]


def error_of(node: Node) -> str:
    [message] = [message for message in node.messages() if message["type"] == "image-error"]
    return str(message["messages"][0])


def test_linux_image_becomes_the_users_own(node: Node, linux_disk: Path) -> None:
    files = [
        {
            "path": "/etc/motd.d/hello",
            "contents": base64.b64encode(b"hi\n").decode(),
            "owner": "user",
            "group": "staff",
            "mode": 0o604,
        }
    ]
    result = deploy_linux(
        node,
        linux_disk,
        img_passwd=SECRET,
        auth_keys="ssh-ed25519 AAAA one\nssh-rsa BBBB two\n",
        img_personality=json.dumps(files),
    )
    assert result.returncode == 0, result.stderr
    assert node.guest_file("/etc/hostname") == "snf-42\n"
    hosts = node.guest_file("/etc/hosts")
    assert "127.0.1.1\tsnf-42" in hosts and "old" not in hosts and "localhost" in hosts
    for user in ("root", "user"):
        hashed = shadow_entry(node, user)
        assert hashed.startswith("$6$") and verify_password(hashed, SECRET)
    assert "Mode:  0640" in node.guest_stat("/etc/shadow")
    assert node.guest_file("/etc/motd.d/hello") == "hi\n"
    status = node.guest_stat("/etc/motd.d/hello")
    assert "Mode:  0604" in status and "User:  1000   Group:    50" in status
    for home, owner in (("/root", "User:     0"), ("/home/user", "User:  1000")):
        keys = f"{home}/.ssh/authorized_keys"
        assert node.guest_file(keys) == "ssh-ed25519 AAAA one\nssh-rsa BBBB two\n"
        assert "Mode:  0600" in node.guest_stat(keys) and owner in node.guest_stat(keys)
    assert "shared secret" not in node.guest_file("/etc/ssh/ssh_host_ed25519_key")
    assert node.guest_file("/etc/ssh/ssh_host_ed25519_key").startswith("-----BEGIN OPENSSH PRIVATE KEY")


def test_file_system_fills_the_disk_and_is_clean(node: Node, linux_disk: Path) -> None:
    assert deploy_linux(node, linux_disk).returncode == 0
    image = node.partition()
    superblock = debugfs(image, "stats -h")
    [count] = [line for line in superblock.splitlines() if line.startswith("Block count:")]
    [size] = [line for line in superblock.splitlines() if line.startswith("Block size:")]
    assert int(count.split()[-1]) * int(size.split()[-1]) > 60 * MIB
    assert subprocess.run(["e2fsck", "-fn", image], capture_output=True, check=False).returncode == 0


def test_gpt_disk_is_grown_too(node: Node, tmp_path: Path) -> None:
    tree = root_tree(tmp_path / "tree")
    disk = partitioned(tmp_path / "gpt", file_system(tmp_path / "fs", tree, 16), "gpt")
    assert deploy_linux(node, disk).returncode == 0
    table = subprocess.run(["sfdisk", "-J", str(node.disk)], capture_output=True, text=True, check=True)
    [partition] = json.loads(table.stdout)["partitiontable"]["partitions"]
    assert partition["size"] * 512 > 60 * MIB
    assert node.guest_file("/etc/hostname") == "snf-42\n"


def test_disk_without_partitions(node: Node, tmp_path: Path) -> None:
    tree = root_tree(tmp_path / "tree")
    disk = file_system(tmp_path / "fs", tree, 16)
    (node.images / "plain").write_bytes(disk.read_bytes())
    node.make_disk(32)
    properties = json.dumps({"OSFAMILY": "linux"})
    result = node.run("create", {"img_id": "local://plain", "img_properties": properties})
    assert result.returncode == 0, result.stderr
    assert node.guest_file("/etc/hostname", start=0) == "snf-42\n"


def test_progress_is_told(node: Node, linux_disk: Path) -> None:
    deploy_linux(node, linux_disk)
    messages = node.messages()
    copies = [message for message in messages if message["type"] == "image-copy-progress"]
    size = linux_disk.stat().st_size
    assert copies[-1]["progress"] == 100.0
    assert copies[-1]["position"] == copies[-1]["total"] == size
    assert all("timestamp" in message for message in messages)
    assert node.tasks() == [
        "FixPartitionTable",
        "FilesystemResizeUnmounted",
        "MountImage",
        "DeleteSSHKeys",
        "SELinuxAutorelabel",
        "AssignHostname",
        "ChangePassword",
        "EnforcePersonality",
        "UmountImage",
    ]


def test_no_loop_device_or_mount_is_left(node: Node, linux_disk: Path) -> None:
    deploy_linux(node, linux_disk)

    def is_free() -> bool:
        used = subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=True).stdout
        return str(node.disk) not in used

    # The kernel detaches it after its last user has gone.
    wait_until(is_free, timeout=60, what="detaching the loop device")
    assert "snf-image-" not in Path("/proc/mounts").read_text()


def test_secrets_appear_nowhere(node: Node, linux_disk: Path) -> None:
    result = deploy_linux(node, linux_disk, img_passwd=SECRET)
    assert result.returncode == 0
    assert SECRET not in result.stderr + result.stdout + node.messages_file.read_text()


@pytest.mark.parametrize(
    ("task", "absent"),
    [("ASSIGNHOSTNAME", "AssignHostname"), ("CHANGEPASSWORD", "ChangePassword"), ("FixPartitionTable", "")],
)
def test_excluded_task_does_not_run(node: Node, linux_disk: Path, task: str, absent: str) -> None:
    properties = json.dumps(json.loads(LINUX) | {f"EXCLUDE_TASK_{task}": "yes"})
    assert deploy_linux(node, linux_disk, img_properties=properties, img_passwd="x").returncode == 0
    done = [name.upper() for name in node.tasks()]
    assert task.upper() not in done and "UMOUNTIMAGE" in done
    if absent == "AssignHostname":
        assert node.guest_file("/etc/hostname") == "old\n"
    if absent == "ChangePassword":
        assert shadow_entry(node, "root") == "*"


def test_excluding_everything_copies_only(node: Node, linux_disk: Path) -> None:
    assert deploy_linux(node, linux_disk, img_properties=RAW_ONLY, img_passwd="x").returncode == 0
    content = linux_disk.read_bytes()
    assert node.disk.read_bytes()[: len(content)] == content
    assert node.tasks() == []


def test_cloned_disk_is_customised_in_place(node: Node, linux_disk: Path) -> None:
    node.disk.write_bytes(linux_disk.read_bytes())
    result = node.run("create", {"img_id": "null", "img_properties": LINUX})
    assert result.returncode == 0, result.stderr
    assert node.guest_file("/etc/hostname") == "snf-42\n"
    assert not [message for message in node.messages() if message["type"] == "image-copy-progress"]


def test_image_without_family_is_refused(node: Node, linux_disk: Path) -> None:
    assert deploy_linux(node, linux_disk, img_properties="{}").returncode == 1
    assert "OSFAMILY" in error_of(node)


def test_missing_users_are_an_error(node: Node, linux_disk: Path) -> None:
    properties = json.dumps(json.loads(LINUX) | {"USERS": "nobody-here"})
    assert deploy_linux(node, linux_disk, img_properties=properties, img_passwd="x").returncode == 1
    assert "nobody-here" in error_of(node)


def test_unknown_owner_of_a_file_is_an_error(node: Node, linux_disk: Path) -> None:
    files = json.dumps([{"path": "/x", "contents": "", "owner": "stranger"}])
    assert deploy_linux(node, linux_disk, img_personality=files).returncode == 1
    assert "stranger" in error_of(node)


@pytest.mark.parametrize("path", ["/../../../../tmp/escaped", "../escaped", ""])
def test_file_can_not_leave_the_guest(node: Node, linux_disk: Path, path: str) -> None:
    files = json.dumps([{"path": path, "contents": "eA=="}])
    assert deploy_linux(node, linux_disk, img_personality=files).returncode == 1
    assert not Path("/tmp/escaped").exists()


def test_links_in_the_image_lead_nowhere_else(node: Node, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "shadow").write_text("root:node's own:1::::::\n")
    tree = root_tree(tmp_path / "tree")
    (tree / "etc" / "shadow").unlink()
    os.symlink(f"../../../../../../../../..{outside}/shadow", tree / "etc" / "shadow")
    os.symlink(str(outside), tree / "linked")
    disk = partitioned(tmp_path / "evil", file_system(tmp_path / "fs", tree, 16))
    files = json.dumps([{"path": "/linked/planted", "contents": "eA=="}])
    result = deploy_linux(node, disk, img_passwd=SECRET, img_personality=files)
    assert result.returncode == 1
    assert (outside / "shadow").read_text() == "root:node's own:1::::::\n"
    assert os.listdir(outside) == ["shadow"]


# Sources


def test_object_of_the_store(node: Node) -> None:
    content = os.urandom(BLOCK_SIZE) + bytes(BLOCK_SIZE) + os.urandom(5000) + bytes(3000)
    image_id = store_object(node.pithos, content)
    node.make_disk(16)
    result = node.run("create", {"img_id": image_id, "img_properties": RAW_ONLY})
    assert result.returncode == 0, result.stderr
    assert node.disk.read_bytes()[: len(content)] == content
    assert node.disk.stat().st_blocks * 512 < 8 * MIB, "zeros take no room"


@pytest.mark.parametrize("legacy", [True, False])
def test_object_of_one_block(node: Node, legacy: bool) -> None:
    content = b"x" * 1000
    image_id = store_object(node.pithos, content, legacy_name=legacy)
    node.make_disk(1)
    assert node.run("create", {"img_id": image_id, "img_properties": RAW_ONLY}).returncode == 0
    assert node.disk.read_bytes()[:1000] == content


def test_damaged_block_is_noticed(node: Node) -> None:
    image_id = store_object(node.pithos, os.urandom(2 * BLOCK_SIZE))
    victim = sorted(path for path in (node.pithos / "blocks").rglob("*") if path.is_file())[0]
    data = bytearray(victim.read_bytes())
    data[100] ^= 1
    victim.write_bytes(data)
    node.make_disk(16)
    assert node.run("create", {"img_id": image_id, "img_properties": RAW_ONLY}).returncode == 1
    assert "damaged" in error_of(node)


def test_missing_block_is_noticed(node: Node) -> None:
    image_id = store_object(node.pithos, os.urandom(2 * BLOCK_SIZE))
    sorted(path for path in (node.pithos / "blocks").rglob("*") if path.is_file())[0].unlink()
    node.make_disk(16)
    assert node.run("create", {"img_id": image_id, "img_properties": RAW_ONLY}).returncode == 1
    assert "can't be read" in error_of(node)


def test_damaged_map_is_noticed(node: Node) -> None:
    image_id = store_object(node.pithos, os.urandom(2 * BLOCK_SIZE))
    [path] = [path for path in (node.pithos / "maps").rglob("*") if path.is_file()]
    content = path.read_bytes()
    path.write_bytes(content[32:] + content[:32])
    node.make_disk(16)
    assert node.run("create", {"img_id": image_id, "img_properties": RAW_ONLY}).returncode == 1
    assert "map is damaged" in error_of(node)


def test_image_that_does_not_fit_is_refused_before_writing(node: Node) -> None:
    image_id = store_object(node.pithos, b"x" * (2 * MIB))
    node.make_disk(1)
    assert node.run("create", {"img_id": image_id, "img_properties": RAW_ONLY}).returncode == 1
    assert "2097152 bytes, the disk has 1048576" in error_of(node)
    assert not any(node.disk.read_bytes())


def test_old_data_under_zeros_is_wiped(node: Node) -> None:
    content = b"a" * 100_000 + bytes(MIB) + b"b" * 100_000
    node.disk.write_bytes(b"\xff" * (4 * MIB))
    result = node.run("create", {"img_id": store_object(node.pithos, content), "img_properties": RAW_ONLY})
    assert result.returncode == 0, result.stderr
    assert node.disk.read_bytes()[: len(content)] == content


@pytest.mark.parametrize(
    "image_id",
    [
        "local://../etc/passwd",
        "local://.hidden",
        "local://absent",
        "local://link",
        "file:///etc/passwd",
        "/etc/passwd",
        "pithosmap://abc/10",
        "pithosmap://" + "0" * 64 + "/-5",
        "pithosmap://" + "0" * 64 + "_3/99999999",
        "pithosmap://../../x/5",
    ],
)
def test_odd_image_ids_are_refused(node: Node, image_id: str) -> None:
    (node.images / "link").symlink_to("/etc/passwd")
    node.make_disk(1)
    assert node.run("create", {"img_id": image_id, "img_properties": RAW_ONLY}).returncode == 1
    assert error_of(node)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves what the test put into ``answers``, each once."""

    answers: dict[str, list[tuple[int, bytes]]] = {}

    def do_GET(self) -> None:
        queue = self.answers.get(self.path) or [(404, b"gone")]
        status, body = queue.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + (10 if status == 206 else 0)))
        self.send_header("Location", "/secret")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def web() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def test_image_from_a_web_server(node: Node, web: str) -> None:
    content = os.urandom(100_000)
    Handler.answers["/image"] = [(200, content)]
    node.make_disk(1)
    assert node.run("create", {"img_id": f"{web}/image", "img_properties": RAW_ONLY}).returncode == 0
    assert node.disk.read_bytes()[:100_000] == content


@pytest.mark.parametrize("status", [206, 302, 404, 500])
def test_broken_web_download_fails(node: Node, web: str, status: int) -> None:
    Handler.answers["/image"] = [(status, b"x" * 1000)]
    Handler.answers["/secret"] = [(200, b"y" * 1000)]
    node.make_disk(1)
    assert node.run("create", {"img_id": f"{web}/image", "img_properties": RAW_ONLY}).returncode == 1
    assert error_of(node)


def test_one_time_parameters_override_the_others(node: Node, web: str, linux_disk: Path) -> None:
    answer = {
        "img_id": "local://linux",
        "img_passwd": SECRET,
        "img_format": "diskdump",
        "img_properties": LINUX,
        "img_personality": "[]",
    }
    body = json.dumps(answer).encode()
    Handler.answers["/params/0123-secret"] = [(503, b"busy"), (206, body[:50]), (200, body)]
    result = deploy_linux(
        node, linux_disk, config_url=f"{web}/params/0123-secret", img_id="null", img_passwd="other"
    )
    assert result.returncode == 0, result.stderr
    assert verify_password(shadow_entry(node, "root"), SECRET)
    told = result.stderr + node.messages_file.read_text()
    assert "0123-secret" not in told and SECRET not in told


def test_lost_one_time_parameters_fail_clearly(node: Node, web: str, linux_disk: Path) -> None:
    result = deploy_linux(node, linux_disk, config_url=f"{web}/params/used")
    assert result.returncode == 1
    assert "once and for a limited time" in error_of(node)
    assert "/params" not in error_of(node)


# qcow2


def make_qcow2(node: Node, content: bytes, *options: str) -> Path:
    raw, path = node.folder / "raw", node.images / "image.qcow2"
    raw.write_bytes(content)
    subprocess.run(
        ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options, str(raw), str(path)],
        check=True,
        capture_output=True,
    )
    return path


def deploy_qcow2(node: Node, image_format: str = "qcow2") -> Any:
    return node.run(
        "create",
        {"img_id": "local://image.qcow2", "img_format": image_format, "img_properties": RAW_ONLY},
    )


@pytest.mark.parametrize("options", [(), ("-c",), ("-o", "compat=0.10"), ("-o", "cluster_size=2M")])
def test_qcow2_is_unpacked(node: Node, options: tuple[str, ...]) -> None:
    content = os.urandom(3 * MIB) + bytes(4 * MIB) + os.urandom(MIB)
    make_qcow2(node, content, *options)
    node.make_disk(16)
    result = deploy_qcow2(node)
    assert result.returncode == 0, result.stderr
    assert node.disk.read_bytes()[: len(content)] == content
    assert node.disk.stat().st_size == 16 * MIB
    assert node.messages()[-2]["progress"] == 100.0


def test_qcow2_from_the_store(node: Node) -> None:
    content = os.urandom(5 * MIB)
    image_id = store_object(node.pithos, make_qcow2(node, content).read_bytes())
    node.make_disk(8)
    result = node.run("create", {"img_id": image_id, "img_format": "qcow2", "img_properties": RAW_ONLY})
    assert result.returncode == 0, result.stderr
    assert node.disk.read_bytes()[: len(content)] == content


def test_qcow2_declared_as_raw_is_refused(node: Node) -> None:
    make_qcow2(node, b"x" * MIB)
    node.make_disk(8)
    assert deploy_qcow2(node, "diskdump").returncode == 1
    assert "declared as raw, but is qcow2" in error_of(node)


def test_raw_declared_as_qcow2_is_refused(node: Node) -> None:
    (node.images / "image.qcow2").write_bytes(b"x" * MIB)
    node.make_disk(8)
    assert deploy_qcow2(node).returncode == 1
    assert "declared as qcow2, but is raw" in error_of(node)


def test_backing_file_is_refused(node: Node) -> None:
    secret = node.folder / "node-secret"
    secret.write_bytes(b"the node's own data" * 1000)
    subprocess.run(
        [
            *("qemu-img", "create", "-f", "qcow2", "-b", str(secret), "-F", "raw"),
            *(str(node.images / "image.qcow2"), "1M"),
        ],
        check=True,
        capture_output=True,
    )
    node.make_disk(8)
    assert deploy_qcow2(node).returncode == 1
    assert "backing file" in error_of(node)
    assert not any(node.disk.read_bytes())


def test_external_data_file_is_refused(node: Node) -> None:
    secret = node.folder / "node-secret"
    subprocess.run(
        [
            *("qemu-img", "create", "-f", "qcow2", "-o", f"data_file={secret},data_file_raw=on"),
            *(str(node.images / "image.qcow2"), "1M"),
        ],
        check=True,
        capture_output=True,
    )
    secret.write_bytes(b"the node's own data" * 1000)
    node.make_disk(8)
    assert deploy_qcow2(node).returncode == 1
    assert "external data file" in error_of(node)
    assert not any(node.disk.read_bytes())


@pytest.mark.parametrize("size", ["16M", "1P"])
def test_virtual_size_beyond_the_disk_is_refused(node: Node, size: str) -> None:
    path = str(node.images / "image.qcow2")
    subprocess.run(
        ["qemu-img", "create", "-f", "qcow2", "-o", "cluster_size=2M", path, size],
        check=True,
        capture_output=True,
    )
    node.make_disk(8)
    assert deploy_qcow2(node).returncode == 1
    assert "bytes" in error_of(node)


# The definition


def test_definition_lists_every_parameter() -> None:
    lines = (DEFINITION / "parameters.list").read_text().splitlines()
    assert tuple(line.split()[0] for line in lines) == parameters.NAMES
    assert (DEFINITION / "variants.list").read_text() == "default\n"
    assert (DEFINITION / "ganeti_api_version").read_text() == "20\n"
    assert all(os.access(DEFINITION / name, os.X_OK) for name in SCRIPTS)


def test_installed_scripts_deploy(node: Node, tmp_path: Path) -> None:
    target = tmp_path / "os" / "snf-image"
    install(str(target), sys.executable, str(Path.cwd()))
    node.make_disk(1)
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "INSTANCE_NAME": "snf-42",
        "DISK_COUNT": "1",
        "DISK_0_PATH": str(node.disk),
        "SNF_IMAGE_DEFAULTS": str(node.config),
        "OSP_IMG_ID": store_object(node.pithos, b"content"),
        "OSP_IMG_PROPERTIES": RAW_ONLY,
    }
    for script in ("verify", "create", "rename"):
        subprocess.run([str(target / script)], env=environment, check=True, cwd="/")
    assert node.disk.read_bytes()[:7] == b"content"
    assert not list(Path.cwd().glob("gtools/osprovider/snf-image/*.pyc"))


def test_export_and_import_round_trip(node: Node) -> None:
    node.make_disk(2)
    node.disk.write_bytes(os.urandom(2 * MIB))
    copy = node.folder / "copy"
    copy.write_bytes(bytes(2 * MIB))
    command = [sys.executable, "-m", "gtools.osprovider"]
    exported = subprocess.run(
        [*command, "export"],
        env=os.environ | {"EXPORT_DEVICE": str(node.disk)},
        capture_output=True,
        check=True,
    )
    subprocess.run(
        [*command, "import"],
        env=os.environ | {"IMPORT_DEVICE": str(copy)},
        input=exported.stdout,
        check=True,
    )
    assert copy.read_bytes() == node.disk.read_bytes()


def test_verify_refuses_bad_parameters(node: Node) -> None:
    assert node.run("verify", {"img_id": "null", "img_format": "vmdk"}).returncode == 1
    assert node.run("verify", {"img_id": "null", "img_properties": "{"}).returncode == 1
    assert node.run("verify", {}).returncode == 0


def test_hanging_monitor_does_not_stop_the_deployment(node: Node) -> None:
    monitor = node.folder / "hanging"
    monitor.write_text("#!/bin/sh\nexec sleep 100\n")
    monitor.chmod(0o755)
    node.configure(PROGRESS_MONITOR=str(monitor), MOUNT_METHOD="loop")
    node.make_disk(1)
    image_id = store_object(node.pithos, b"content")
    assert node.run("create", {"img_id": image_id, "img_properties": RAW_ONLY}).returncode == 0


HOLD_LOOP = """
import sys, time
from gtools.osprovider.loop import loop_device
with loop_device(sys.argv[1], 4096, 65536) as device:
    print(device, flush=True)
    time.sleep(300)
"""


@pytest.mark.fault
def test_killed_deployment_leaves_no_loop_device(node: Node) -> None:
    node.make_disk(1)
    command = [sys.executable, "-c", HOLD_LOOP, str(node.disk)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        device = process.stdout.readline().strip()
        assert device.startswith("/dev/loop")
        process.kill()

    def is_free() -> bool:
        used = subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=True).stdout
        return str(node.disk) not in used

    # The kernel detaches it after its last user has gone.
    wait_until(is_free, timeout=60, what="detaching the loop device")


def test_loop_device_shows_its_part_only(node: Node) -> None:
    node.disk.write_bytes(b"a" * 4096 + b"b" * 8192 + b"c" * 4096)
    with loop_device(str(node.disk), 4096, 8192) as device:
        assert Path(device).read_bytes() == b"b" * 8192
        with open(device, "r+b") as file:
            file.write(b"B" * 512)
    assert node.disk.read_bytes()[4090:4100] == b"aaaaaaBBBB"


def test_unsupported_wishes_are_told(node: Node, linux_disk: Path) -> None:
    properties = json.dumps(json.loads(LINUX) | {"CUSTOM_TASK": "program"})
    assert deploy_linux(node, linux_disk, img_properties=properties).returncode == 0
    warnings = [m["messages"][0] for m in node.messages() if m["type"] == "image-warning"]
    assert any("CUSTOM_TASK" in warning for warning in warnings)


@pytest.mark.parametrize("label", ["dos", "gpt"])
def test_swap_partition_is_made(node: Node, tmp_path: Path, label: str) -> None:
    tree = root_tree(tmp_path / "tree")
    disk = partitioned(tmp_path / "image-disk", file_system(tmp_path / "fs", tree, 16), label)
    properties = json.dumps(json.loads(LINUX) | {"SWAP": "2:20"})
    result = deploy_linux(node, disk, img_properties=properties)
    assert result.returncode == 0, result.stderr
    output = subprocess.run(["sfdisk", "-J", str(node.disk)], capture_output=True, text=True, check=True)
    root, swap = json.loads(output.stdout)["partitiontable"]["partitions"]
    assert swap["size"] * 512 == 20 * MIB
    assert 40 * MIB < root["size"] * 512 <= 43 * MIB
    content = node.disk.read_bytes()[swap["start"] * 512 :]
    assert content[4086:4096] == b"SWAPSPACE2"
    assert "swap" in node.guest_file("/etc/fstab")
    assert "AddSwap" in node.tasks()


@pytest.mark.parametrize("swap", ["2:60", "1:4", "x", "0:5", "2:"])
def test_impossible_swap_is_an_error(node: Node, linux_disk: Path, swap: str) -> None:
    properties = json.dumps(json.loads(LINUX) | {"SWAP": swap})
    assert deploy_linux(node, linux_disk, img_properties=properties).returncode == 1
    assert error_of(node)


@pytest.mark.parametrize("monitor", ["/nonexistent/monitor", "false", ""])
def test_missing_monitor_does_not_stop_the_deployment(node: Node, monitor: str) -> None:
    node.configure(PROGRESS_MONITOR=monitor, MOUNT_METHOD="loop")
    node.make_disk(1)
    image_id = store_object(node.pithos, b"content")
    assert node.run("create", {"img_id": image_id, "img_properties": RAW_ONLY}).returncode == 0
