"""Where the suite's temporary files are: in memory, if there is enough of it.

The tests make and remove files by the ten thousand, which takes a file system on a disk many times the
processor time, and none of them asks a disk to keep anything over a crash of the machine.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
#: Free memory in bytes, beside what the tests' programs need, for images, databases and large objects.
_NEEDED = 8 << 30


def use_memory() -> None:
    """Put temporary files of this process and of all it starts into memory.

    ``TMPDIR`` decides if it is set. Also without pytest, or with little memory, everything stays as it is.
    """
    if "pytest" not in sys.modules or "TMPDIR" in os.environ:
        return
    if not (_is_roomy() and _is_like_a_disk()):
        return
    path = _MEMORY / f"snf-{os.getuid()}"  # short, as sockets below have paths of at most 107 bytes
    with contextlib.suppress(FileExistsError):
        path.mkdir()
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        return
    path.chmod(0o1777)  # servers that drop their rights use it as well
    os.environ["TMPDIR"] = tempfile.tempdir = str(path)


def _is_roomy() -> bool:
    try:
        room = os.statvfs(_MEMORY)
        facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    except OSError:
        return False
    available = int(facts["MemAvailable"].split()[0]) << 10
    return min(room.f_bavail * room.f_frsize, available) >= _NEEDED and not room.f_flag & os.ST_NOEXEC


def _is_like_a_disk() -> bool:
    """Whether the kernel lets files in memory be opened past its cache, as virtual machines do."""
    with tempfile.NamedTemporaryFile(dir=_MEMORY) as file:
        try:
            os.close(os.open(file.name, os.O_RDWR | os.O_DIRECT))
        except OSError:
            return False
    return True
