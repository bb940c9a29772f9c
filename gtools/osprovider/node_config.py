"""The node's own settings: a shell-style file such as /etc/default/snf-image."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from gtools.osprovider.errors import DeployError

DEFAULT_FILE = "/etc/default/snf-image"
FILE_VARIABLE = "SNF_IMAGE_DEFAULTS"


@dataclass(frozen=True)
class NodeConfig:
    """Where this node finds images and tools.

    progress_monitor: command that gets the instance's name and messages on its input; empty for none.
    pithos_storage: where the object store keeps its data: nfs is a directory, rados is Ceph.
    pithos_rados_ceph_conf, pithos_rados_client: how to reach Ceph.
    pithos_rados_pool_blocks, pithos_rados_pool_maps: its pools.
    pithos_block_path: directory with ``blocks`` and ``maps`` of the object store.
    pithos_block_size: bytes of a block.
    image_dir: directory of images for ``local://`` ids.
    scratch_dir: directory for images that must be converted.
    config_ca_file: certificates to trust for config_url, empty for the system's.
    mount_method: auto, guestfish or loop.
    max_virtual_size: bytes that a disk image may claim to hold.
    """

    progress_monitor: str = "snf-progress-monitor"
    pithos_storage: str = "nfs"
    pithos_rados_ceph_conf: str = "/etc/ceph/ceph.conf"
    pithos_rados_client: str = "client.admin"
    pithos_rados_pool_blocks: str = "blocks"
    pithos_rados_pool_maps: str = "maps"
    pithos_block_path: str = "/srv/synnefo/pithos"
    pithos_block_size: int = 4 * 1024 * 1024
    image_dir: str = "/var/lib/snf-image"
    scratch_dir: str = "/var/tmp"  # noqa: S108  (a directory for large files; names in it are random)
    config_ca_file: str = ""
    mount_method: str = "auto"
    max_virtual_size: int = 16 * 1024**4


def load(path: str | None = None) -> NodeConfig:
    """Read the file, if there is one; raise `DeployError` naming the wrong line."""
    file = Path(path or os.environ.get(FILE_VARIABLE) or DEFAULT_FILE)
    if not file.exists():
        return NodeConfig()
    values: dict[str, str | int] = {}
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        name, value = _assignment(line, f"{file}:{number}")
        field = name.lower()
        if field not in NodeConfig.__dataclass_fields__:
            continue
        values[field] = value
        if isinstance(getattr(NodeConfig, field), int):
            if not value.isascii() or not value.isdigit() or int(value) == 0:
                raise DeployError(f"{file}:{number}: {name} must be a positive number")
            values[field] = int(value)
    if values.get("mount_method", "auto") not in ("auto", "guestfish", "loop"):
        raise DeployError(f"{file}: MOUNT_METHOD must be auto, guestfish or loop")
    if values.get("pithos_storage", "nfs") not in ("nfs", "rados"):
        raise DeployError(f"{file}: PITHOS_STORAGE must be nfs or rados")
    return NodeConfig(**values)  # type: ignore[arg-type]


def _assignment(line: str, where: str) -> tuple[str, str]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise DeployError(f"{where}: {error}") from error
    if words[:1] == ["export"]:
        words = words[1:]
    name, _, value = words[0].partition("=") if words else ("", "", "")
    return name, value
