"""One deployment from image id to a customised disk (ganeti-backend contract 7, image contract 7)."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain

from gtools.osprovider import partitions, qcow2, tools
from gtools.osprovider.customize import TASKS, Guest, unsupported
from gtools.osprovider.errors import DeployError
from gtools.osprovider.guest_disk import GuestAccess, Region, choose_access, file_system_of
from gtools.osprovider.image_root import ImageRoot
from gtools.osprovider.node_config import NodeConfig
from gtools.osprovider.parameters import RAW_FORMATS, Parameters
from gtools.osprovider.progress import Progress
from gtools.osprovider.sources import Source, open_source
from gtools.osprovider.swap import Swap, parse_swap
from gtools.osprovider.target import Disk

HEAD_BYTES = 64 * 1024
CONVERT_MEMORY_BYTES = 2 * 1024**3
CONVERT_SECONDS = 4 * 3600
PERCENT = re.compile(rb"\(([0-9.]+)/100%\)")


@dataclass(frozen=True)
class Deployment:
    """What goes where."""

    instance: str
    disk_path: str
    parameters: Parameters
    config: NodeConfig
    progress: Progress

    def run(self) -> None:
        """Copy and customise; raise `DeployError`."""
        source = open_source(self.parameters.image_id, self.config)
        if source is not None:
            with Disk(self.disk_path) as disk:
                if self.parameters.image_format in RAW_FORMATS:
                    self._copy_raw(source, disk)
                else:
                    self._copy_qcow2(source, disk)
                disk.sync()
        self._customize()

    # Copying

    def _copy_raw(self, source: Source, disk: Disk) -> None:
        if source.size is not None:
            disk.require_room(source.size)
        pieces = _checked(source.pieces(), "raw")
        total = source.size or 0
        position = disk.write(pieces, lambda position: self.progress.copied(position, total))
        disk.sync()
        self.progress.copied(position, position, final=True)

    def _copy_qcow2(self, source: Source, disk: Disk) -> None:
        """Put the file on scratch space, check it, and let qemu-img unpack it onto the disk."""
        with tempfile.NamedTemporaryFile(dir=self.config.scratch_dir, prefix="snf-image-") as scratch:
            limit = min(self.config.max_virtual_size, 2 * disk.size + 64 * 1024**2)
            scratch.truncate(source.size if source.size is not None else limit)
            with Disk(scratch.name) as copy:
                copy.require_room(source.size or 0)
                length = copy.write(_checked(source.pieces(), "qcow2"), lambda position: None)
            scratch.truncate(length)
            head = os.pread(scratch.fileno(), HEAD_BYTES, 0)
            header = qcow2.check_header(head, self.config.max_virtual_size)
            disk.require_room(header.virtual_size)
            _convert(scratch.name, disk.path, lambda percent: self._tell_converted(percent, header))
            self.progress.copied(header.virtual_size, header.virtual_size, final=True)

    def _tell_converted(self, percent: float, header: qcow2.Qcow2Header) -> None:
        self.progress.copied(int(header.virtual_size * percent / 100), header.virtual_size)

    # Customising

    def _customize(self) -> None:
        if self.parameters.excludes("ALL"):
            self.progress.info("the image excludes all customisation")
            return
        family = self.parameters.properties.get("OSFAMILY", "").lower()
        if not family:
            raise DeployError("the image lacks the property OSFAMILY (or EXCLUDE_ALL_TASKS)")
        if family != "linux":
            self.progress.info(f"images of the family {family[:40]} are not customised")
            return
        for wish in unsupported(self.parameters.properties):
            self.progress.warning(f"the image asks for {wish}, which is not supported")
        access = choose_access(self.config.mount_method)
        swap = parse_swap(self.parameters.properties.get("SWAP", ""))
        if self.parameters.excludes("AddSwap"):
            swap = None
        self._task("FixPartitionTable", lambda: self._grow_partition(swap))
        region = self._root_region()
        file_system = file_system_of(self.disk_path, region)
        if file_system == "ext":
            self._task("FilesystemResizeUnmounted", lambda: access.grow_unmounted(self.disk_path, region))
        if swap is not None:
            self._task("AddSwap", lambda: self._add_swap(access, swap))
        if not self.parameters.excludes("MountImage"):
            self._work_mounted(access, region, file_system, swap)

    def _grow_partition(self, swap: Swap | None) -> None:
        reserve = swap.size if swap is not None else 0
        self.progress.info(partitions.grow_last(self.disk_path, self._disk_size(), reserve))

    def _add_swap(self, access: GuestAccess, swap: Swap) -> None:
        made = partitions.add_swap(self.disk_path, swap.partition, swap.size)
        access.make_swap(self.disk_path, Region(made.number, made.start, made.size), swap.uuid)

    def _disk_size(self) -> int:
        with Disk(self.disk_path) as disk:
            return disk.size

    def _root_region(self) -> Region:
        table = partitions.read_table(self.disk_path)
        number = self.parameters.properties.get("ROOT_PARTITION", "").strip()
        if table is None:
            return Region(partition=0, start=0, size=self._disk_size())
        if number and not (number.isascii() and number.isdigit()):
            raise DeployError("the image's ROOT_PARTITION is not a number")
        partition = table.numbered(int(number)) if number else table.last()
        if partition is None:
            raise DeployError("the image's partition table is empty")
        return Region(partition=partition.number, start=partition.start, size=partition.size)

    def _work_mounted(self, access: GuestAccess, region: Region, file_system: str, swap: Swap | None) -> None:
        with ExitStack() as mounts:
            with self.progress.task("MountImage"):
                directory = mounts.enter_context(access.mounted(self.disk_path, region))
            with ImageRoot(directory) as root:
                guest = Guest(root, self.parameters, self.instance, self.progress)
                for name, task in TASKS:
                    self._task(name, lambda task=task: task(guest))  # type: ignore[misc]
                if swap is not None:
                    swap.add_to_fstab(root)
            if file_system in ("xfs", "btrfs"):
                self._task("FilesystemResizeMounted", lambda: access.grow_mounted(directory, file_system))
            with self.progress.task("UmountImage"):
                mounts.close()

    def _task(self, name: str, action: Callable[[], None]) -> None:
        if self.parameters.excludes(name):
            self.progress.info(f"the image excludes the task {name}")
            return
        with self.progress.task(name):
            action()


def _checked(pieces: Iterator[tuple[int, bytes]], declared: str) -> Iterator[tuple[int, bytes]]:
    """Pass pieces on after a look at the first: is it of the declared format?"""
    first = next(pieces, None)
    if first is None:
        raise DeployError("the image is empty")
    qcow2.require_format(first[1], declared)
    return chain([first], pieces)


def _convert(image: str, disk: str, progress: Callable[[float], None]) -> None:
    """Unpack a checked qcow2 file; qemu-img gets limited memory and time, and never guesses the format."""
    program, prlimit = tools.find("qemu-img"), tools.find("prlimit")
    if program is None or prlimit is None:
        raise DeployError("the node lacks qemu-img or prlimit, which qcow2 images need")
    limits = [f"--as={CONVERT_MEMORY_BYTES}", f"--cpu={CONVERT_SECONDS}"]
    command = [
        *(prlimit, *limits),
        program,
        "convert",
        "-p",
        "-n",
        "-f",
        "qcow2",
        "-O",
        "raw",
        "-S",
        "64k",
        image,
        disk,
    ]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env={"PATH": tools.TOOL_PATH, "LC_ALL": "C"},
        )
        assert process.stdout is not None
        while chunk := os.read(process.stdout.fileno(), 4096):
            found = PERCENT.findall(chunk)
            if found:
                progress(min(100.0, float(found[-1])))
        if process.wait() != 0:
            complaints.seek(0)
            raise DeployError(f"qemu-img failed: {complaints.read(400).decode(errors='replace').strip()}")
