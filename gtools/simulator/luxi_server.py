"""The query socket of a node, as much of it as the event daemon asks (ganeti-backend contract 6.4)."""

from __future__ import annotations

import contextlib
import json
import logging
import socketserver
from pathlib import Path
from typing import Any

from gtools.simulator import views
from gtools.simulator.cluster import Cluster

logger = logging.getLogger(__name__)

END_OF_MESSAGE = b"\x03"
MAX_MESSAGE = 1024 * 1024
#: Fields of hypervisors other than the instance's own are known and null; anything else is an error.
_PREFIXES = ("be/", "hv/", "nic.", "disk.", "custom_")
_KNOWN = frozenset({"name", "tags", "status", "os", "pnode", "uuid", "oper_state", "admin_state"})


class LuxiServer(socketserver.ThreadingUnixStreamServer):
    """Listens on a unix socket; questions on one connection are answered in turn."""

    daemon_threads = True

    def __init__(self, path: Path, cluster: Cluster) -> None:
        self.cluster = cluster
        self.path = path
        path.unlink(missing_ok=True)
        super().__init__(str(path), _Handler)

    def server_close(self) -> None:
        """Close and remove the socket."""
        super().server_close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def answer(self, question: bytes) -> dict[str, Any]:
        """Return the answer to one message."""
        try:
            message = json.loads(question)
            method, arguments = message["method"], message["args"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return {"success": False, "result": "Failed to parse request"}
        if method == "QueryClusterInfo":
            with self.cluster.lock:
                return {"success": True, "result": views.info(self.cluster)}
        if method != "QueryInstances":
            return {"success": False, "result": f"Failed to parse request: unknown method {method!r}"}
        if not isinstance(arguments, list) or len(arguments) != 3:
            return {"success": False, "result": "Failed to parse request: Unable to read Triple"}
        return self._query_instances(arguments[0], arguments[1])

    def _query_instances(self, names: list[str], fields: list[str]) -> dict[str, Any]:
        unknown = [name for name in fields if not name.startswith(_PREFIXES) and name not in _KNOWN]
        if unknown:
            problem = f"Unknown output fields selected: {', '.join(unknown)}"
            return {"success": False, "result": ["OpPrereqError", [problem, "wrong_input"]]}
        with self.cluster.lock:
            wanted = names or sorted(self.cluster.instances)
            found = [self.cluster.instances[name] for name in wanted if name in self.cluster.instances]
            rows = [views.query_row(self.cluster, instance) for instance in found]
            return {"success": True, "result": [[row.get(name) for name in fields] for row in rows]}


class _Handler(socketserver.StreamRequestHandler):
    server: LuxiServer
    timeout = 30

    def handle(self) -> None:
        """Answer messages until the other side hangs up."""
        buffer = b""
        while len(buffer) < MAX_MESSAGE:
            try:
                chunk = self.request.recv(65536)
            except OSError:
                return
            if not chunk:
                return
            buffer += chunk
            while END_OF_MESSAGE in buffer:
                question, _, buffer = buffer.partition(END_OF_MESSAGE)
                answer = json.dumps(self.server.answer(question))
                self.request.sendall(answer.encode() + END_OF_MESSAGE)
