"""Plain HTTP on the loopback address for tests: plan failures, archive jobs, look at what is planned.

- ``GET /faults``: the failures still to come;
- ``POST /faults``: plan one (JSON object, see `gtools.simulator.faults.Fault`) or a list of them;
- ``DELETE /faults``: plan none;
- ``POST /archive``: ``{"job": id}``, move a final job to the archive.
"""

from __future__ import annotations

import json
import logging
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gtools.simulator.faults import Fault, FaultPlan
from gtools.simulator.jobqueue import JobQueue

logger = logging.getLogger(__name__)

MAX_BODY = 65536


class ControlServer(ThreadingHTTPServer):
    """Serves the control endpoint."""

    daemon_threads = True

    def __init__(self, port: int, faults: FaultPlan, queue: JobQueue) -> None:
        self.faults = faults
        self.queue = queue
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: ControlServer
    timeout = 10

    def do_GET(self) -> None:
        """Show what is planned."""
        if self.path == "/faults":
            self._send(200, self.server.faults.describe())
        else:
            self._send(404, {"error": "not found"})

    def do_DELETE(self) -> None:
        """Plan no failures."""
        if self.path == "/faults":
            self.server.faults.clear()
            self._send(200, [])
        else:
            self._send(404, {"error": "not found"})

    def do_POST(self) -> None:
        """Plan failures or archive a job."""
        try:
            length = min(int(self.headers.get("Content-Length", "0")), MAX_BODY)
            self._post(json.loads(self.rfile.read(length)))
        except (ValueError, TypeError) as error:
            self._send(400, {"error": str(error)})

    def _post(self, body: Any) -> None:
        if self.path == "/faults":
            for fault in [Fault.parse(item) for item in (body if isinstance(body, list) else [body])]:
                self.server.faults.add(fault)
            self._send(200, self.server.faults.describe())
        elif self.path == "/archive" and isinstance(body, dict):
            self._send(200, {"archived": self.server.queue.archive(int(body.get("job", 0)))})
        else:
            self._send(404, {"error": "not found"})

    def _send(self, status: int, answer: Any) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Log a request."""
        logger.debug(format, *args)
