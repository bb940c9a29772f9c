"""A pretended Ganeti master for the event daemon: job queue, ssconf files, query socket."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

from gtools.luxi import FIELDS


def op(name: str, status: str, /, **parameters: Any) -> dict[str, Any]:
    """Return an opcode as job files hold it; ``result`` and ``log`` may be among the parameters."""
    result = parameters.pop("result", None)
    log = parameters.pop("log", [])
    return {
        "input": {"OP_ID": name, "dry_run": False, "reason": [], **parameters},
        "status": status,
        "result": result,
        "log": log,
        "priority": 0,
        "start_timestamp": [1_700_000_001, 10],
        "exec_timestamp": [1_700_000_002, 20],
        "end_timestamp": [1_700_000_003, 30] if status in ("success", "error", "canceled") else None,
    }


def job(job_id: int, *ops: dict[str, Any]) -> dict[str, Any]:
    """Return a job file's content."""
    return {
        "id": job_id,
        "ops": list(ops),
        "received_timestamp": [1_700_000_000, 5],
        "start_timestamp": [1_700_000_001, 10],
        "end_timestamp": None,
    }


class FakeMaster:
    """Directories and a query socket under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.queue_dir = folder / "queue"
        self.ssconf_dir = folder / "ssconf"
        self.queue_dir.mkdir()
        self.ssconf_dir.mkdir()
        (self.ssconf_dir / "ssconf_cluster_name").write_text("c1.example.org\n")
        self.set_master("node1.example.org")
        self.instances: dict[str, dict[str, Any]] = {}
        self.questions: list[Any] = []
        self.luxi_socket = folder / "luxi"
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.luxi_socket))
        self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def set_master(self, node: str) -> None:
        """Make a node the master."""
        (self.ssconf_dir / "ssconf_master_node").write_text(f"{node}\n")

    def write(self, content: dict[str, Any], temporary: str = "{name}abc123.new") -> None:
        """Write a job file as Ganeti does: another name first, then renamed."""
        name = f"job-{content['id']}"
        path = self.queue_dir / temporary.format(name=name)
        path.write_text(json.dumps(content))
        path.rename(self.queue_dir / name)

    def write_ops(self, job_id: int, *ops: dict[str, Any]) -> None:
        """Write a job of these opcodes."""
        self.write(job(job_id, *ops))

    def close(self) -> None:
        """End the query socket."""
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                data = b""
                while not data.endswith(b"\x03"):
                    chunk = connection.recv(4096)
                    if not chunk:
                        break
                    data += chunk
                question = json.loads(data[:-1])
                self.questions.append(question)
                answer = json.dumps(self._answer(question)).encode() + b"\x03"
                # In pieces, as a loaded daemon may send it.
                connection.sendall(answer[:5])
                time.sleep(0.01)
                connection.sendall(answer[5:])

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        name = question["args"][0][0]
        values = self.instances.get(name)
        if values is None:
            error = ["OpPrereqError", [f"Instance '{name}' not known", "unknown_entity"]]
            return {"success": False, "result": error, "version": 3000000}
        return {"success": True, "result": [[values.get(field) for field in FIELDS]], "version": 3000000}
