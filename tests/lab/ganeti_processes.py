"""Starts Ganeti's Python programs from one process that has loaded their modules already.

Most of the time of a job, of a ``gnt-`` command or of the start of a daemon goes into loading modules. In the
lab a little program stands in each one's place: it hands its arguments and descriptors to this server, which
forks a process that goes on exactly as the program would, as the same user. When there is no server, the
little program runs the program itself.

Runs with the system's Python, without the project, inside a cluster's namespaces: ``ganeti_processes.py
SOCKET``.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import marshal
import os
import pwd
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIBRARY = "/usr/share/ganeti/3.0"
#: The program of a job, for which nobody waits.
JOB = f"{LIBRARY}/ganeti/jqueue/exec.py"
#: Programs with their modules and functions.
PROGRAMS = {
    JOB: ("ganeti.jqueue.exec", "main"),
    f"{LIBRARY}/ensure-dirs": ("ganeti.tools.ensure_dirs", "Main"),
    f"{LIBRARY}/ganeti-noded": ("ganeti.server.noded", "Main"),
    f"{LIBRARY}/ganeti-rapi": ("ganeti.server.rapi", "Main"),
    f"{LIBRARY}/gnt-cluster": ("ganeti.client.gnt_cluster", "Main"),
    f"{LIBRARY}/gnt-debug": ("ganeti.client.gnt_debug", "Main"),
    f"{LIBRARY}/gnt-job": ("ganeti.client.gnt_job", "Main"),
}
#: Longest request: program, arguments, environment, directory.
_LIMIT = 1 << 16
#: As many requests at a time are answered by processes that are used again.
_WORKERS = 8

#: Only what every Python has loaded already, so that it starts as fast as can be.
_STAND_IN = """\
#!/usr/bin/python3 -IS
import _socket, array, marshal, os, sys
mask = os.umask(0o77)
os.umask(mask)
call = [{program!r}, sys.argv, dict(os.environ), os.getcwd(), mask]
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
try:
    server.connect({socket!r})
    descriptors = array.array("i", [0, 1, 2])
    server.sendmsg([marshal.dumps(call)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
    server.shutdown(_socket.SHUT_WR)
    taken = server.recv(1)
except OSError:
    taken = b""
if not taken:
    os.execv(sys.executable, [sys.executable, {original!r}, *sys.argv[1:]])
if {waits!r}:
    os._exit(int.from_bytes(server.recv(1), "big"))
"""


def stand_in(program: str, path: str, original: str) -> str:
    """The program that takes the place of ``program``, which can be found as ``original``."""
    return _STAND_IN.format(program=program, socket=path, original=original, waits=program != JOB)


def _become(connection: socket.socket) -> None:
    """Be the user at the other end of a connection."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, gid = struct.unpack("3i", credentials)
    if uid:
        os.initgroups(pwd.getpwuid(uid).pw_name, gid)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


def _go_on(call: list[Any], descriptors: list[int], function: Callable[[], Any]) -> None:
    """Become a program's process; does not return."""
    code: Any = 1
    try:
        _program, arguments, environment, directory, mask = call
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(directory)
        os.umask(mask)
        sys.argv[:] = arguments
        code = function()
    except SystemExit as end:
        code = end.code
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
            logging.shutdown()
        os._exit(code if isinstance(code, int) else int(code is not None))


def _serve(connection: socket.socket, functions: dict[str, Callable[[], Any]]) -> None:
    """Do, in a process of its own, what a connection asks for."""
    text, descriptors, _flags, _address = socket.recv_fds(connection, _LIMIT, 3)
    while piece := connection.recv(_LIMIT):
        text += piece
    if len(descriptors) != 3:
        return
    call = marshal.loads(text)
    # Whoever stops or looks for a daemon goes by its process's name.
    Path("/proc/self/comm").write_text(os.path.basename(call[0]))
    _become(connection)
    connection.sendall(b"1")
    if call[0] != JOB:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        child = os.fork()
        if child:
            _child, status = os.waitpid(child, 0)
            code = os.waitstatus_to_exitcode(status)
            connection.sendall(bytes([code if code >= 0 else 128 - code]))
            return
    connection.close()
    _go_on(call, descriptors, functions[call[0]])


class _Worker:
    """A process of a daemon, that answers one request after another; as the daemon sees it."""

    def __init__(self, server: Any, others: list[_Worker]) -> None:
        self.channel, far_end = socket.socketpair()
        self.is_idle = False
        self.pid = os.fork()
        if self.pid == 0:
            for other in [self, *others]:
                other.channel.close()
            _work(server, far_end)
        far_end.close()

    def can_take(self) -> bool:
        """Whether it waits for a request; OSError when it is gone."""
        if not self.is_idle:
            try:
                said = self.channel.recv(1, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            if not said:
                raise ConnectionResetError
            self.is_idle = True
        return True

    def take(self, descriptor: int, address: tuple[str, int]) -> None:
        """Answer the request of a connection; OSError when it is gone."""
        socket.send_fds(self.channel, [marshal.dumps(address)], [descriptor])
        self.is_idle = False


def _work(server: Any, channel: socket.socket) -> None:
    """Answer requests until the daemon ends; does not return."""
    from ganeti import utils
    from OpenSSL import SSL

    try:
        context = server.socket.get_context() if server.using_ssl else None
        server.socket.close()
        while True:
            text, descriptors, _flags, _address = socket.recv_fds(channel, _LIMIT, 1)
            if not descriptors:
                break
            plain = socket.socket(fileno=descriptors[0])
            connection = SSL.Connection(context, plain) if context else plain
            utils.ResetTempfileModule()
            server.request_executor(server, server.handler, connection, marshal.loads(text))
            channel.sendall(b"1")
    except Exception:
        # Whatever it is ends this process alone, as it would the one that Ganeti forks; the daemon goes on.
        logging.exception("Error while handling a request")
    finally:
        os._exit(0)


def _keep_workers(http_server: Any) -> None:
    """Let Ganeti's HTTP server use its processes again.

    By itself it forks one for each request, which costs more than the answer. What they do with a request is
    the same; what comes while :data:`_WORKERS` of them are busy is answered as ever.
    """
    answer_alone = http_server._IncomingConnection

    def incoming(server: Any) -> None:
        workers: list[_Worker] = server.__dict__.setdefault("workers", [])
        taker = None
        for worker in list(workers):
            try:
                if worker.can_take():
                    taker = worker
                    break
            except OSError:
                workers.remove(worker)
        if taker is None and len(workers) == _WORKERS:
            answer_alone(server)
            return
        connection, address = server.socket.accept()
        server._CollectChildren(False)
        if taker is None:
            taker = _Worker(server, workers)
            workers.append(taker)
            server._children.append(taker.pid)
        with contextlib.suppress(OSError):
            taker.take(connection.fileno(), address)
        connection.close()

    http_server._IncomingConnection = incoming


def _make_keys_small() -> None:
    """Let certificates that Ganeti makes have keys of an elliptic curve.

    Every call to a node proves two of them. With RSA, as Ganeti would have it, that is a tenth of all time.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from OpenSSL import crypto

    def generate(key: Any, _type: int, _bits: int) -> None:
        made = crypto.PKey.from_cryptography_key(ec.generate_private_key(ec.SECP256R1()))
        key._pkey, key._initialized = made._pkey, True

    crypto.PKey.generate_key = generate


def main() -> None:
    """Serve until killed."""
    path = Path(sys.argv[1])
    sys.path.insert(0, LIBRARY)
    functions = {
        program: getattr(importlib.import_module(module), name)
        for program, (module, name) in PROGRAMS.items()
    }
    _make_keys_small()
    _keep_workers(importlib.import_module("ganeti.http.server").HttpServer)
    # Nobody waits for what is forked here: Ganeti sees by their locks that jobs are gone.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        path.chmod(0o666)
        server.listen(64)
        print("ready", flush=True)
        while True:
            connection, _address = server.accept()
            with connection:
                if os.fork() == 0:
                    try:
                        server.close()
                        _serve(connection, functions)
                    finally:
                        os._exit(1)


if __name__ == "__main__":
    main()
