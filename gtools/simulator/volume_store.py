"""What an ExtStorage provider keeps: volumes that outlive the disks that show them (Ganeti contract 14.2)."""

from __future__ import annotations

from gtools.simulator.cluster import Cluster, Disk
from gtools.simulator.errors import execution


class StoreChange:
    """The changes that one job makes to the store, made for good by ``commit``.

    A disk asks for a new volume, or with ``reuse_data`` for one that is there; when it is removed the volume
    goes too, unless ``keep_data`` is set.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._added: set[str] = set()
        self._dropped: set[str] = set()

    def add(self, disk: Disk) -> None:
        """Give *disk* its volume, or fail as the provider's script would."""
        if not _is_external(disk):
            return
        name = _key(disk)
        present = name in (self._cluster.volumes | self._added) - self._dropped
        reuse = str(disk.params.get("reuse_data", "False")).lower() == "true"
        if reuse and not present:
            raise _script_failed("create", f"there is no volume {name}")
        if present and not reuse:
            raise _script_failed("create", f"the volume {name} exists already")
        self._added.add(name)
        self._dropped.discard(name)

    def remove(self, disk: Disk) -> None:
        """Take the volume of *disk* away with it, or keep it."""
        if _is_external(disk) and str(disk.params.get("keep_data", "False")).lower() != "true":
            self._dropped.add(_key(disk))

    def rename(self, former: str, disk: Disk) -> None:
        """Know the volume by the new name of its disk."""
        if _is_external(disk) and former != _key(disk):
            self._dropped.add(former)
            self._added.add(_key(disk))

    def commit(self) -> None:
        """Change the store; the caller holds the cluster's lock and saves it."""
        self._cluster.volumes = (self._cluster.volumes | self._added) - self._dropped


def key_of(disk: Disk) -> str:
    """Return what the store calls the volume of *disk*."""
    return _key(disk)


def _key(disk: Disk) -> str:
    return disk.name or disk.uuid


def _is_external(disk: Disk) -> bool:
    return bool(disk.params.get("provider"))


def _script_failed(action: str, text: str) -> Exception:
    return execution(
        f"Can't create block device: External storage's {action} script failed (exited with exit code 1),"
        f" last lines of output:\nsnf-extstorage: {text}"
    )
