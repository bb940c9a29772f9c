"""Reaching the file system inside an instance's disk: through libguestfs, else by a loop mount.

libguestfs looks at the guest's file system inside a small virtual machine, so a malicious image can't attack
the node's kernel; it is preferred where it is installed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gtools.osprovider import tools
from gtools.osprovider.errors import DeployError
from gtools.osprovider.loop import loop_device

CLONE_NEWNS = 0x00020000
MOUNT_OPTIONS = "nodev,nosuid,noexec"
SUPERBLOCK_BYTES = 128 * 1024
# (offset, magic, name) of the file systems that Linux guests use.
SUPERBLOCKS = (
    (1080, b"\x53\xef", "ext"),
    (0, b"XFSB", "xfs"),
    (65536 + 64, b"_BHRfS_M", "btrfs"),
)


@dataclass(frozen=True)
class Region:
    """The part of a disk that holds the root file system; partition 0 is the whole disk. In bytes."""

    partition: int
    start: int
    size: int


def file_system_of(disk: str, region: Region) -> str:
    """Return ext, xfs, btrfs or unknown."""
    with open(disk, "rb") as file:
        file.seek(region.start)
        start = file.read(SUPERBLOCK_BYTES)
    for offset, magic, name in SUPERBLOCKS:
        if start[offset : offset + len(magic)] == magic:
            return name
    return "unknown"


class GuestAccess(ABC):
    """A way to change the file system inside a disk."""

    @abstractmethod
    def grow_unmounted(self, disk: str, region: Region) -> None:
        """Check an ext file system and let it fill its partition."""

    @abstractmethod
    def make_swap(self, disk: str, region: Region, uuid: str) -> None:
        """Prepare a partition for swapping."""

    @abstractmethod
    def mounted(self, disk: str, region: Region) -> contextlib.AbstractContextManager[str]:
        """Mount the root file system; give the directory."""

    @abstractmethod
    def grow_mounted(self, directory: str, file_system: str) -> None:
        """Let a mounted xfs or btrfs file system fill its partition."""


class LoopAccess(GuestAccess):
    """Mounts with the node's kernel, in a mount namespace of this process."""

    def grow_unmounted(self, disk: str, region: Region) -> None:
        """Run e2fsck and resize2fs on a loop device."""
        with loop_device(disk, region.start, region.size) as device:
            # 1 and 2: errors were corrected.
            tools.run(["e2fsck", "-f", "-y", device], accepted=(0, 1, 2))
            tools.run(["resize2fs", device])

    def make_swap(self, disk: str, region: Region, uuid: str) -> None:
        """Run mkswap on a loop device."""
        with loop_device(disk, region.start, region.size) as device:
            tools.run(["mkswap", "--uuid", uuid, device])

    @contextlib.contextmanager
    def mounted(self, disk: str, region: Region) -> Iterator[str]:
        """Mount where no other process sees it; a killed deployment leaves no mount behind."""
        _own_mount_namespace()
        kind = {"ext": "ext4"}.get(file_system_of(disk, region), file_system_of(disk, region))
        if kind == "unknown":
            raise DeployError("the root partition has no known file system (ext, xfs, btrfs)")
        options = f"{MOUNT_OPTIONS},nouuid" if kind == "xfs" else MOUNT_OPTIONS
        with (
            tempfile.TemporaryDirectory(prefix="snf-image-") as directory,
            loop_device(disk, region.start, region.size) as device,
        ):
            tools.run(["mount", "-t", kind, "-o", options, device, directory])
            try:
                yield directory
            finally:
                tools.run(["umount", directory])

    def grow_mounted(self, directory: str, file_system: str) -> None:
        """Run the file system's own tool."""
        if file_system == "xfs":
            tools.run(["xfs_growfs", directory])
        elif file_system == "btrfs":
            tools.run(["btrfs", "filesystem", "resize", "max", directory])


class GuestfishAccess(GuestAccess):
    """Works through guestfish and guestmount."""

    @staticmethod
    def _device(region: Region) -> str:
        return f"/dev/sda{region.partition or ''}"

    def grow_unmounted(self, disk: str, region: Region) -> None:
        """Run the appliance's own tools."""
        device = self._device(region)
        script = f"run\ne2fsck {device} correct:true\nresize2fs {device}\n"
        tools.run(["guestfish", "--rw", "--format=raw", "-a", disk], input_text=script)

    def make_swap(self, disk: str, region: Region, uuid: str) -> None:
        """Run the appliance's mkswap."""
        script = f"run\nmkswap {self._device(region)} uuid:{uuid}\n"
        tools.run(["guestfish", "--rw", "--format=raw", "-a", disk], input_text=script)

    @contextlib.contextmanager
    def mounted(self, disk: str, region: Region) -> Iterator[str]:
        """Mount by FUSE."""
        with tempfile.TemporaryDirectory(prefix="snf-image-") as directory:
            pid_file = f"{directory}.pid"
            command = ["guestmount", "--rw", "--format=raw", "-a", disk, "-m", self._device(region)]
            tools.run([*command, "--pid-file", pid_file, directory])
            try:
                yield directory
            finally:
                # Ends only when everything is on the disk.
                tools.run(["guestunmount", directory])
                _wait_for_end(pid_file)

    def grow_mounted(self, directory: str, file_system: str) -> None:
        """Not possible through FUSE; a guest with cloud-init grows it itself at boot."""
        raise DeployError(f"{file_system} can't be enlarged through libguestfs")


def choose_access(method: str) -> GuestAccess:
    """Return the way to use; raise `DeployError` if this node has none.

    method: auto, guestfish or loop.
    """
    has_guestfish = bool(tools.find("guestfish") and tools.find("guestmount"))
    if method == "guestfish" or (method == "auto" and has_guestfish):
        if not has_guestfish:
            raise DeployError("the node lacks guestfish and guestmount (MOUNT_METHOD)")
        return GuestfishAccess()
    if os.geteuid() != 0 or not os.path.exists("/dev/loop-control"):
        raise DeployError(
            "the image can't be customised on this node: it has neither libguestfs nor loop devices"
            " (or set the image property EXCLUDE_ALL_TASKS)"
        )
    return LoopAccess()


def _own_mount_namespace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise DeployError(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    tools.run(["mount", "--make-rprivate", "/"])


def _wait_for_end(pid_file: str) -> None:
    """guestmount goes on writing after the unmount; its end means that the disk is complete."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(Path(pid_file).read_text())
        Path(pid_file).unlink()
        tools.run(["tail", f"--pid={pid}", "-f", "/dev/null"])
