"""Starts Ganeti's job processes from one that has Ganeti's modules loaded already.

Ganeti runs every job in a process of its own, ``python3 …/ganeti/jqueue/exec.py JOB``, most of whose time
goes into loading modules. In the lab a little program stands in that file's place: it hands its arguments and
descriptors to this server, which forks a process that goes on exactly as Ganeti's own file would. When there
is no server, the little program runs Ganeti's own file.

Runs with the system's Python, without the project: ``job_processes.py SOCKET``.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import marshal
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

#: Where Ganeti keeps the program of a job.
PROGRAM = "/usr/share/ganeti/3.0/ganeti/jqueue/exec.py"
#: Longest request: arguments, environment, directory.
_LIMIT = 1 << 16

#: Only what every Python has loaded already, so that it starts as fast as can be.
_STAND_IN = """\
import _socket, array, marshal, os, sys
mask = os.umask(0o77)
os.umask(mask)
call = [sys.argv, dict(os.environ), os.getcwd(), mask]
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
"""


def stand_in(path: str, original: str) -> str:
    """The program that takes the place of :data:`PROGRAM`, which can be found as ``original``."""
    return _STAND_IN.format(socket=path, original=original)


def _go_on(call: list[Any], descriptors: list[int], program: Any) -> None:
    """Become the process of one job; does not return."""
    code = 1
    try:
        arguments, environment, directory, mask = call
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(directory)
        os.umask(mask)
        sys.argv[:] = arguments
        program.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        with contextlib.suppress(Exception):
            logging.shutdown()
        os._exit(code)


def _take(connection: socket.socket, program: Any) -> None:
    text, descriptors, _flags, _address = socket.recv_fds(connection, _LIMIT, 3)
    while piece := connection.recv(_LIMIT):
        text += piece
    if len(descriptors) != 3:
        return
    pid = os.fork()
    if pid == 0:
        connection.close()
        _go_on(marshal.loads(text), descriptors, program)
    for descriptor in descriptors:
        os.close(descriptor)
    connection.sendall(b"1")


def main() -> None:
    """Serve until killed."""
    path = Path(sys.argv[1])
    sys.path.insert(0, str(Path(PROGRAM).parents[2]))
    from ganeti.jqueue import exec as program

    # Nobody waits for the jobs: Ganeti sees by their locks that they are gone.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen(64)
        print("ready", flush=True)
        while True:
            connection, _address = server.accept()
            with connection:
                _take(connection, program)


if __name__ == "__main__":
    main()
