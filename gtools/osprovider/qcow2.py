"""What kind of disk image a file is, found out without any tool that could be misled by it.

A qcow2 image can name other files of the node as its data; such an image would hand them to the guest. So its
header is checked here, before qemu-img is let near it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from gtools.osprovider.errors import DeployError

MAGIC = b"QFI\xfb"
HEADER_BYTES = 4096
# Incompatible features that name no other file: dirty, corrupt, compression type, extended L2.
HARMLESS_INCOMPATIBLE = 0b11011
EXTERNAL_DATA_FILE = 0b100
EXTERNAL_DATA_EXTENSION = 0x44415441
BACKING_FORMAT_EXTENSION = 0xE2792ACA
SIGNATURES = (
    (0, MAGIC, "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vpc"),
    (0, b"QED\0", "qed"),
    (0, b"LUKS\xba\xbe", "luks"),
    (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"),
    (0, b"#!/bin/sh\n#V2.0 Format\n", "cloop"),
    (64, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
)


@dataclass(frozen=True)
class Qcow2Header:
    """The parts of a header that matter; ``virtual_size`` in bytes."""

    virtual_size: int


def detect(start: bytes) -> str:
    """Return the format that a file's first bytes show, ``raw`` if none is known."""
    for offset, magic, name in SIGNATURES:
        if start[offset : offset + len(magic)] == magic:
            return name
    return "raw"


def require_format(start: bytes, declared: str) -> None:
    """Raise `DeployError` when the bytes are of another format than declared (``raw`` or ``qcow2``)."""
    found = detect(start)
    if found != declared:
        raise DeployError(f"the image was declared as {declared}, but is {found}")


def check_header(start: bytes, max_virtual_size: int) -> Qcow2Header:
    """Return the header of a qcow2 file that is safe to convert; raise `DeployError` for any other.

    start: at least the first cluster's beginning; what lies beyond can't be a safe header.
    """
    require_format(start, "qcow2")
    if len(start) < 72:
        raise DeployError("the qcow2 image is cut off")
    version, backing_offset, backing_size = struct.unpack_from(">IQI", start, 4)
    cluster_bits, virtual_size, encryption = struct.unpack_from(">IQI", start, 20)
    if version not in (2, 3):
        raise DeployError(f"qcow2 version {version} is not supported")
    if backing_offset or backing_size:
        raise DeployError("the qcow2 image refers to a backing file")
    if encryption:
        raise DeployError("the qcow2 image is encrypted")
    if not 9 <= cluster_bits <= 21:
        raise DeployError("the qcow2 image has an impossible cluster size")
    if not 0 < virtual_size <= max_virtual_size:
        raise DeployError(
            f"the qcow2 image claims {virtual_size} bytes, at most {max_virtual_size} are allowed"
        )
    _check_features(start, version)
    return Qcow2Header(virtual_size=virtual_size)


def _check_features(start: bytes, version: int) -> None:
    length = 72
    if version == 3:
        if len(start) < 104:
            raise DeployError("the qcow2 image is cut off")
        (incompatible,) = struct.unpack_from(">Q", start, 72)
        if incompatible & EXTERNAL_DATA_FILE:
            raise DeployError("the qcow2 image refers to an external data file")
        if incompatible & ~HARMLESS_INCOMPATIBLE:
            raise DeployError("the qcow2 image needs features that are not supported")
        (length,) = struct.unpack_from(">I", start, 100)
    while True:
        if length + 8 > len(start):
            raise DeployError("the qcow2 image has an unusual header")
        kind, size = struct.unpack_from(">II", start, length)
        if kind == 0:
            return
        if kind in (EXTERNAL_DATA_EXTENSION, BACKING_FORMAT_EXTENSION):
            raise DeployError("the qcow2 image refers to another file")
        length += 8 + (size + 7) // 8 * 8
