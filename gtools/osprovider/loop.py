"""Loop devices over a part of a disk, set up so that they vanish with this process whatever happens."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Iterator

from gtools.osprovider.errors import DeployError

LOOP_CTL_GET_FREE = 0x4C82
LOOP_CONFIGURE = 0x4C0A
LO_FLAGS_AUTOCLEAR = 4
LOOP_MAJOR = 7
ATTEMPTS = 20
# struct loop_config: fd, block_size; struct loop_info64: five u64, four u32, names and key; reserved.
CONFIG = struct.Struct("=II5QIIII64s64s32s2Q8Q")


@contextlib.contextmanager
def loop_device(path: str, offset: int, size: int) -> Iterator[str]:
    """Yield the path of a block device that shows ``size`` bytes of a disk from ``offset``."""
    backing = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        device, descriptor = _attach(backing, offset, size)
    except OSError as error:
        raise DeployError(f"no loop device for {path}: {error.strerror}") from None
    finally:
        os.close(backing)
    try:
        yield device
    finally:
        os.fsync(descriptor)
        os.close(descriptor)


def _attach(backing: int, offset: int, size: int) -> tuple[str, int]:
    for _ in range(ATTEMPTS):
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        try:
            number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
        finally:
            os.close(control)
        device = f"/dev/loop{number}"
        if not os.path.exists(device):
            os.mknod(device, 0o60600, os.makedev(LOOP_MAJOR, number))
        descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        info = (0, 0, 0, offset, size, 0, 0, 0, LO_FLAGS_AUTOCLEAR, b"", b"", b"", 0, 0)
        try:
            fcntl.ioctl(descriptor, LOOP_CONFIGURE, CONFIG.pack(backing, 0, *info, *([0] * 8)))
        except OSError as error:
            os.close(descriptor)
            # Somebody else was faster to take this one.
            if error.errno != errno.EBUSY:
                raise
        else:
            return device, descriptor
    raise OSError(errno.EBUSY, "all loop devices are busy")
