"""What the kernel tells of running guests (ganeti-backend contract 12.1).

Every function takes the directories it reads, so that it works on any tree; a guest that ends while it is
looked at is left out.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PID_DIRECTORY = "/var/run/ganeti/kvm-hypervisor/pid"
NIC_DIRECTORY = "/var/run/ganeti/kvm-hypervisor/nic"
PROC = "/proc"
SYS_NET = "/sys/class/net"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

#: Newer kernels add the processor's number: ``anon_inode:kvm-vcpu:0``.
_VCPU = re.compile(r"anon_inode:\[?kvm-vcpu(:[0-9]+)?\]?")
_CPUS = re.compile(r"(?:cpus=)?([0-9]{1,4})(?:,|\Z)")
_DEVICE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
# Positions behind the command name in /proc/<pid>/stat, where the process's state is number 0.
_USER_TIME, _SYSTEM_TIME, _GUEST_TIME = 11, 12, 40


@dataclass(frozen=True)
class CpuSample:
    """How much processor time a guest has used.

    percent_seconds: 100 for each second in which all its processors were busy.
    """

    instance: str
    percent_seconds: int


@dataclass(frozen=True)
class NicSample:
    """Bytes that a guest has received and sent by one interface."""

    instance: str
    index: int
    received: int
    sent: int


def cpu_samples(pid_directory: str = PID_DIRECTORY, proc: str = PROC) -> Iterator[CpuSample]:
    """Yield the processor time of every running guest."""
    for path in _files(pid_directory):
        try:
            process = Path(proc) / str(int(path.read_text().strip()))
            sample = _cpu_sample(path.name, process)
        except (OSError, ValueError, IndexError):
            continue
        if sample is not None:
            yield sample


def _cpu_sample(instance: str, process: Path) -> CpuSample | None:
    arguments = (process / "cmdline").read_bytes().split(b"\0")
    if _name(arguments) != instance:
        # The number belongs to another process by now.
        return None
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    vcpus = _accelerated_vcpus(process)
    if vcpus:
        ticks = int(fields[_GUEST_TIME])
    else:
        # Software emulation: the guest's time is QEMU's own.
        vcpus = _configured_vcpus(arguments)
        ticks = int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])
    return CpuSample(instance, ticks * 100 // (vcpus * CLOCK_TICKS))


def _name(arguments: list[bytes]) -> str:
    """Return the name behind QEMU's ``-name``, which may go on with other options."""
    for option, value in itertools.pairwise(arguments):
        if option in (b"-name", b"--name"):
            return value.decode("utf-8", "replace").split(",")[0].removeprefix("guest=")
    return ""


def _accelerated_vcpus(process: Path) -> int:
    count = 0
    for link in (process / "fd").iterdir():
        try:
            count += _VCPU.fullmatch(str(link.readlink())) is not None
        except OSError:
            continue
    return count


def _configured_vcpus(arguments: list[bytes]) -> int:
    """Return the number behind QEMU's ``-smp``, which is 1 without it."""
    for option, value in itertools.pairwise(arguments):
        if option in (b"-smp", b"--smp"):
            match = _CPUS.match(value.decode("ascii", "replace"))
            return max(1, int(match[1])) if match else 1
    return 1


def nic_samples(nic_directory: str = NIC_DIRECTORY, sys_net: str = SYS_NET) -> Iterator[NicSample]:
    """Yield the traffic of every guest's interfaces. What the device sends the guest receives."""
    for instance in _directories(nic_directory):
        for path in _files(str(instance)):
            try:
                device = path.read_text().strip()
                if not path.name.isdigit() or not _DEVICE.fullmatch(device):
                    continue
                counters = Path(sys_net) / device / "statistics"
                sample = NicSample(
                    instance=instance.name,
                    index=int(path.name),
                    received=int((counters / "tx_bytes").read_text()),
                    sent=int((counters / "rx_bytes").read_text()),
                )
            except (OSError, ValueError):
                continue
            yield sample


def _files(directory: str) -> list[Path]:
    try:
        return sorted(path for path in Path(directory).iterdir() if path.is_file())
    except OSError:
        return []


def _directories(directory: str) -> list[Path]:
    try:
        return sorted(path for path in Path(directory).iterdir() if path.is_dir())
    except OSError:
        return []
