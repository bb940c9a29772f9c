"""A program that is loaded once and forked for each of its runs, for Python 2.7 and 3 alike.

``fork_server.py SOCKET CODE`` runs CODE, which defines ``main()`` and may define ``state()``. A request is a
line of JSON with ``argv``, ``env``, ``cwd`` and the files ``stdin``, ``stdout`` and ``stderr``; the answer is
the exit status. When ``state()`` is no longer what it was when CODE ran, the program is loaded anew, and
whoever asked asks again. The server ends when its standard input does.
"""

from __future__ import print_function  # noqa: UP010

import gc
import json
import os
import select
import signal
import socket
import sys
import traceback

#: Of ``listen``: as many requests may wait while the program is loaded.
_BACKLOG = 64


def status_of(code):
    """Return the exit status that the interpreter makes of the argument of ``sys.exit``."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    print(code, file=sys.stderr)
    return 1


def run(main, request):
    """Be the program of one request; return its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    flags = (os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_APPEND)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        opened = os.open(request[name], flags[number])
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(request["cwd"])
    os.environ.clear()
    for key, value in request["env"].items():
        os.environ[str(key)] = value if str is not bytes else value.encode("utf-8")
    words = request["argv"]
    sys.argv = words if str is not bytes else [word.encode("utf-8") for word in words]
    try:
        status = status_of(main())
    except SystemExit as stop:
        status = status_of(stop.code)
    except BaseException:
        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return status


def answer(connection, program, loaded):
    """Fork for the request of *connection*; return False when the program must be loaded anew first."""
    line = connection.makefile("rb").readline()
    if not line:
        return True
    if "state" in program and program["state"]() != loaded:
        return False
    if os.fork() == 0:
        status = 1
        try:
            status = run(program["main"], json.loads(line.decode("utf-8")))
        finally:
            connection.sendall(str(status).encode("ascii"))
            os._exit(0)
    return True


def serve(path, program):
    """Answer requests until standard input ends or the program must be loaded anew; return which it was."""
    loaded = program["state"]() if "state" in program else None
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(_BACKLOG)
    while True:
        ready, _, _ = select.select([listener, 0], [], [])
        if listener not in ready:
            return False
        connection, _ = listener.accept()
        if not answer(connection, program, loaded):
            os.unlink(path)
            connection.sendall(b"again")
            return True
        connection.close()


if __name__ == "__main__":
    del sys.path[0]  # this file's folder
    code = {"__name__": "program"}
    exec(sys.argv[2], code)
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()
    if serve(sys.argv[1], code):
        os.execv(sys.executable, [sys.executable] + sys.argv)  # noqa: RUF005
