"""Small disk images and a block directory for tests of the OS provider."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gtools.osprovider.pithos_map import object_digest
from tests.lab import programs

MIB = 1024 * 1024
BLOCK_SIZE = 4 * MIB
PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1001:User:/home/user:/bin/sh\n"
GROUP = "root:x:0:\nstaff:x:50:\nuser:x:1001:\n"
SHADOW = "root:*:19000:0:99999:7:::\nuser:!:19000:0:99999:7:::\n"


def root_tree(folder: Path) -> Path:
    """Return a directory with the files of a minimal Linux guest."""
    for path, content, mode in (
        ("etc/passwd", PASSWD, 0o644),
        ("etc/group", GROUP, 0o644),
        ("etc/shadow", SHADOW, 0o640),
        ("etc/hosts", "127.0.0.1\tlocalhost\n127.0.1.1\told\n", 0o644),
        ("etc/hostname", "old\n", 0o644),
        ("etc/ssh/ssh_host_ed25519_key", "shared secret\n", 0o600),
        ("etc/ssh/ssh_host_ed25519_key.pub", "shared\n", 0o644),
        ("etc/ssh/sshd_config", "x\n", 0o644),
        ("root/.profile", "\n", 0o644),
    ):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(mode)
    return folder


def file_system(path: Path, tree: Path, megabytes: int) -> Path:
    """Make an ext4 file system holding a directory's content."""
    with path.open("wb") as file:
        file.truncate(megabytes * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", str(tree), str(path)], check=True)
    return path


def partitioned(path: Path, file_system_path: Path, label: str = "dos") -> Path:
    """Make a disk whose only partition holds a file system."""
    size = file_system_path.stat().st_size
    with path.open("wb") as file:
        file.truncate(size + 3 * MIB)
    script = f"label: {label}\nstart=2048, size={size // 512}\n"
    subprocess.run(["sfdisk", "-q", str(path)], input=script, text=True, check=True, capture_output=True)
    with path.open("r+b") as disk:
        disk.seek(MIB)
        disk.write(file_system_path.read_bytes())
    return path


def store_object(root: Path, content: bytes, *, legacy_name: bool = False) -> str:
    """Put content into a block directory; return its image id."""
    digests = []
    for at in range(0, len(content), BLOCK_SIZE):
        block = content[at : at + BLOCK_SIZE].rstrip(b"\0")
        digest = hashlib.sha256(block).digest()
        digests.append(digest)
        if block:
            _put(root / "blocks", digest.hex(), block)
    name = object_digest(digests).hex()
    if not legacy_name:
        name = f"{name}_{len(digests)}"
    if len(digests) > 1:
        _put(root / "maps", name, b"".join(digests))
    return f"pithosmap://{name}/{len(content)}"


def _put(folder: Path, name: str, content: bytes) -> None:
    path = folder / name[0:2] / name[2:4] / name[4:6] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


class Node:
    """A node with its configuration, on which OS scripts run as processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = folder / "images"
        self.pithos = folder / "pithos"
        self.messages_file = folder / "messages"
        self.disk = folder / "disk"
        self.images.mkdir()
        self.pithos.mkdir()
        monitor = folder / "monitor"
        monitor.write_text(f'#!/bin/sh\nexec cat >> "{self.messages_file}"\n')
        monitor.chmod(0o755)
        self.config = folder / "snf-image.conf"
        self.configure(PROGRESS_MONITOR=str(monitor), MOUNT_METHOD="loop")

    def configure(self, **values: str) -> None:
        """Write the node's configuration file."""
        defaults = {
            "PITHOS_BLOCK_PATH": str(self.pithos),
            "IMAGE_DIR": str(self.images),
            "SCRATCH_DIR": str(self.folder),
        }
        lines = [f'{name}="{value}"' for name, value in (defaults | values).items()]
        self.config.write_text("# test\n" + "\n".join(lines) + "\n")

    def make_disk(self, megabytes: int) -> Path:
        """Make the instance's disk file."""
        with self.disk.open("wb") as file:
            file.truncate(megabytes * MIB)
        return self.disk

    def run(self, action: str, parameters: Mapping[str, str], **environment: str) -> Any:
        """Run an OS script with parameters as Ganeti does."""
        variables = {
            "PATH": os.environ["PATH"],
            "INSTANCE_NAME": "snf-42",
            "DISK_COUNT": "1",
            "DISK_0_PATH": str(self.disk),
            "SNF_IMAGE_DEFAULTS": str(self.config),
            **{f"OSP_{name.upper()}": value for name, value in parameters.items()},
            **environment,
        }
        return programs.os_provider().run(["gtools.osprovider", action], environment=variables)

    def messages(self) -> list[dict[str, Any]]:
        """Return what the progress monitor was told."""
        if not self.messages_file.exists():
            return []
        return [json.loads(line) for line in self.messages_file.read_text().splitlines()]

    def tasks(self) -> list[str]:
        """Return the tasks that ended."""
        return [message["task"] for message in self.messages() if message.get("subtype") == "task-end"]

    def partition(self, start: int = MIB) -> str:
        """Return how e2fsprogs call the file system that begins at a byte of the disk."""
        return f"{self.disk}?offset={start}"

    def guest_file(self, path: str, start: int = MIB) -> str:
        """Return a file of the guest, read without mounting."""
        return debugfs(self.partition(start), f"cat {path}")

    def guest_stat(self, path: str, start: int = MIB) -> str:
        """Return what debugfs tells about a guest's file."""
        return debugfs(self.partition(start), f"stat {path}")


def debugfs(image: str | Path, command: str) -> str:
    """Run one debugfs command on a file system image."""
    result = subprocess.run(["debugfs", "-R", command, image], capture_output=True, text=True, check=True)
    return result.stdout
