"""What Ganeti tells every node about the cluster in small files."""

from __future__ import annotations

import socket
from pathlib import Path

DEFAULT_DIRECTORY = "/var/lib/ganeti"


class Ssconf:
    """The ``ssconf_*`` files of a node; read anew each time, because a fail-over changes them."""

    def __init__(self, directory: str = DEFAULT_DIRECTORY, node_name: str | None = None) -> None:
        self._directory = Path(directory)
        self._names = {node_name} if node_name else {socket.gethostname(), socket.getfqdn()}

    def cluster_name(self) -> str:
        """Return the cluster's name, empty text before the node has joined one."""
        return self._read("cluster_name")

    def is_master(self) -> bool:
        """Return whether this node is the master now."""
        return self._read("master_node") in self._names

    def _read(self, name: str) -> str:
        try:
            return (self._directory / f"ssconf_{name}").read_text().strip()
        except OSError:
            return ""
