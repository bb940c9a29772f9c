"""One simulated cluster, put together: usable in a test's own process or as a program."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import socketserver
import threading
from types import TracebackType
from typing import IO, Self

from gtools.simulator.certificate import ensure_certificate
from gtools.simulator.cluster import Cluster
from gtools.simulator.consoles import Consoles
from gtools.simulator.control_server import ControlServer
from gtools.simulator.execution import Executor
from gtools.simulator.faults import Fault, FaultPlan
from gtools.simulator.jobfile import QueueDirectory
from gtools.simulator.jobqueue import JobQueue
from gtools.simulator.luxi_server import LuxiServer
from gtools.simulator.options import SimulatorOptions
from gtools.simulator.rapi_server import RapiServer
from gtools.simulator.resources import Resources
from gtools.simulator.statistics import Statistics

#: How soon a server notices that it is to end, where it is not woken for that.
_POLL_SECONDS = 1.0


class AlreadyRunning(RuntimeError):
    """Another simulator uses the same state."""


class Simulator:
    """A Ganeti cluster without Ganeti. Start and stop it once, or use it as a context manager."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self._lock_file = self._take_lock()
        self.faults = FaultPlan()
        self.cluster = Cluster(options)
        self.queue = JobQueue(
            QueueDirectory(options.queue_dir),
            Executor(self.cluster, self.faults),
            keep_jobs=options.keep_jobs,
        )
        self._rapi: RapiServer | None = None
        self._servers: list[socketserver.TCPServer] = []
        self._threads: list[threading.Thread] = []
        self._consoles = Consoles(self.cluster, options.console_address) if options.console_address else None
        directory = options.statistics_directory
        self._statistics = Statistics(self.cluster, directory) if directory else None

    def _take_lock(self) -> IO[str]:
        path = self.options.state_file
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.with_name(path.name + ".lock").open("a")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            raise AlreadyRunning(f"another simulator uses {path}") from None
        return handle

    # -- life cycle --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take over the saved state and serve."""
        options = self.options
        self.cluster.save()
        self._write_ssconf()
        self.queue.start()
        certificate = ensure_certificate(
            options.state_file.with_name("rapi.pem"), (options.cluster_name, "localhost", options.host)
        )
        self._rapi = RapiServer(
            (options.host, options.port),
            certificate=certificate,
            resources=Resources(self.cluster, self.queue),
            faults=self.faults,
            user=options.user,
            password=options.password,
        )
        self._serve(self._rapi)
        if options.luxi_socket is not None:
            self._serve(LuxiServer(options.luxi_socket, self.cluster))
        if options.control_port is not None:
            self._serve(ControlServer(options.control_port, self.faults, self.queue))
        if self._consoles is not None:
            self._consoles.start()
        if self._statistics is not None:
            self._statistics.start()

    def stop(self) -> None:
        """Stop serving and give up the state; jobs in the middle of their work will have failed."""
        if self._rapi is not None:
            self._rapi.stopping.set()
        self.queue.stop()
        if self._consoles is not None:
            self._consoles.stop()
        if self._statistics is not None:
            self._statistics.stop()
        for server in self._servers:
            _end(server)
        for thread in self._threads:
            thread.join(timeout=10)
        self._servers, self._threads = [], []
        self._lock_file.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _serve(self, server: socketserver.TCPServer) -> None:
        thread = threading.Thread(
            target=server.serve_forever,
            kwargs={"poll_interval": _POLL_SECONDS},
            name=type(server).__name__,
            daemon=True,
        )
        thread.start()
        self._servers.append(server)
        self._threads.append(thread)

    def _write_ssconf(self) -> None:
        directory = self.options.ssconf_dir
        if directory is None:
            return
        directory.mkdir(parents=True, exist_ok=True)
        nodes = "\n".join(node.name for node in self.options.all_nodes)
        values = {
            "cluster_name": self.options.cluster_name,
            "master_node": self.options.all_nodes[0].name,
            "node_list": nodes,
            "master_candidates": nodes,
        }
        for name, value in values.items():
            (directory / f"ssconf_{name}").write_text(value + "\n")

    # -- for tests ---------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port RAPI answers on."""
        assert self._rapi is not None
        return int(self._rapi.server_address[1])

    @property
    def control_port(self) -> int:
        """The port of the control endpoint."""
        control = next(server for server in self._servers if isinstance(server, ControlServer))
        return int(control.server_address[1])

    def fail(self, **fault: object) -> None:
        """Plan a failure; arguments as in `Fault`."""
        self.faults.add(Fault.parse(fault))


def _end(server: socketserver.TCPServer) -> None:
    # Linux wakes who waits for connections; elsewhere the server notices at its next look.
    with contextlib.suppress(OSError):
        server.socket.shutdown(socket.SHUT_RDWR)
    server.shutdown()
    server.server_close()
