"""The HTTPS server of the simulated remote API, with the manners of Ganeti's own."""

from __future__ import annotations

import base64
import html
import json
import logging
import secrets
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from gtools.simulator.defaults import SOFTWARE_VERSION
from gtools.simulator.errors import HttpError
from gtools.simulator.faults import Fault, FaultPlan
from gtools.simulator.resources import Resources

logger = logging.getLogger(__name__)

MAX_START_LINE = 8192
MAX_HEADERS = 4096
MAX_BODY = 16 * 1024 * 1024
SOCKET_TIMEOUT = 10.0
_REALM = "Ganeti Remote API"
_STATUS = {
    400: ("Bad Request", "Bad request syntax or unsupported method"),
    401: ("Unauthorized", "No permission -- see authorization schemes"),
    403: ("Forbidden", "Request forbidden -- authorization will not help"),
    404: ("Not Found", "Nothing matches the given URI"),
    411: ("Length Required", "Client must specify Content-Length"),
    413: ("Request Entity Too Large", "Entity is too large"),
    415: ("Unsupported Media Type", "Entity body in unsupported format"),
    500: ("Internal Server Error", "Server got itself in trouble"),
    501: ("Not Implemented", "Server does not support this operation"),
    502: ("Bad Gateway", "Invalid responses from another server/proxy"),
    503: ("Service Unavailable", "The server cannot process the request due to a high load"),
    504: ("Gateway Timeout", "The gateway server did not receive a timely response"),
}


class RapiServer(ThreadingHTTPServer):
    """Serves RAPI on one address; one thread and one TLS connection per request."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        *,
        certificate: Path,
        resources: Resources,
        faults: FaultPlan,
        user: str,
        password: str,
    ) -> None:
        self.resources = resources
        self.faults = faults
        self.stopping = threading.Event()
        self.credentials = base64.b64encode(f"{user}:{password}".encode())
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        super().__init__(address, _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Do the TLS handshake in the connection's own thread, so that nobody can hold up the others."""
        request.settimeout(SOCKET_TIMEOUT)
        try:
            with self._tls.wrap_socket(request, server_side=True) as connection:
                super().finish_request(connection, client_address)
        except OSError as error:
            logger.debug("connection from %s: %s", client_address, error)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong in a connection's thread."""
        logger.exception("request from %s", client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request and closes the connection."""

    server: RapiServer
    protocol_version = "HTTP/1.1"
    timeout = SOCKET_TIMEOUT

    def handle_one_request(self) -> None:
        """Read one request of any method, answer it, and ask for the connection to be closed."""
        self.close_connection = True
        self.raw_requestline = self.rfile.readline(MAX_START_LINE + 1)
        if not self.raw_requestline or len(self.raw_requestline) > MAX_START_LINE:
            return
        if not self.parse_request():
            return
        self.close_connection = True
        if sum(len(key) + len(value) + 4 for key, value in self.headers.items()) > MAX_HEADERS:
            return
        self._answer()

    def _answer(self) -> None:
        try:
            self._authenticate()
            body = self._body()
            fault = self.server.faults.for_request(self.command, self.path)
            if fault is not None and self._suffer(fault):
                return
            answer = self.server.resources.handle(self.command, self.path, body)
        except HttpError as error:
            self._send_error(error)
            return
        except Exception:  # the edge of a request
            logger.exception("%s %s", self.command, self.path)
            self._send_error(HttpError(500, "internal error of the simulator"))
            return
        if fault is not None and fault.kind == "drop_answer":
            return
        if fault is not None and fault.kind == "delay":
            self.server.stopping.wait(fault.seconds)
        self._send(200, answer, {})

    def _authenticate(self) -> None:
        """Check the credentials; like Ganeti after the path and method, once there are any credentials."""
        refusal = HttpError(401, headers={"WWW-Authenticate": f'Basic realm="{_REALM}"'})
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic" or not _is_basic(given):
            raise refusal
        self.server.resources.find(self.command, self.path)
        if not secrets.compare_digest(given.strip().encode(), self.server.credentials):
            raise refusal

    def _body(self) -> Any:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            raise HttpError(413)
        content = self.rfile.read(int(length))
        if not content:
            return None
        if self.headers.get("Content-Type") != "application/json":
            raise HttpError(415)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise HttpError(400, "Unable to parse JSON data") from None

    def _suffer(self, fault: Fault) -> bool:
        """Play a fault that comes before the request takes effect; True when there is nothing more to do."""
        if fault.kind == "hang":
            self.server.stopping.wait(fault.seconds)
            return True
        if fault.kind == "status":
            raise HttpError(fault.status, fault.text)
        return False

    def _send_error(self, error: HttpError) -> None:
        title, explanation = _STATUS.get(error.status, ("Error", "Error"))
        # Ganeti escapes messages for HTML although it answers in JSON.
        message = title if error.message is None else html.escape(error.message)
        body = {"code": error.status, "message": message, "explain": explanation}
        self._send(error.status, body, error.headers)

    def _send(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        content = (json.dumps(answer) + "\n").encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def version_string(self) -> str:
        """Return the name that Ganeti's server gives itself."""
        return f"Ganeti {SOFTWARE_VERSION}"

    def log_message(self, format: str, *args: Any) -> None:
        """Log a request."""
        logger.debug("%s %s", self.address_string(), format % args)


def _is_basic(given: str) -> bool:
    """Tell whether a header's value holds a user's name and password at all."""
    try:
        return b":" in base64.b64decode(given.strip(), validate=True)
    except ValueError:
        return False
