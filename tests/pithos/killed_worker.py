"""Upload requests whose process dies by SIGKILL at a chosen point; run as a program by the test.

Reads JSON from standard input: the database, the block store's path, the token, and for each request its
path and where to die. Each request has a process of its own, forked before any connection is open.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any


def _kill(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: Any, name: str, *, times: int = 1) -> None:
    """Let the process die when ``name`` of ``owner`` is called for the ``times``-th time."""
    original = getattr(owner, name)
    calls: list[int] = []

    def dying(*arguments: Any, **keywords: Any) -> Any:
        calls.append(1)
        return _kill() if len(calls) == times else original(*arguments, **keywords)

    setattr(owner, name, dying)


def _points() -> dict[str, Callable[[], None]]:
    from django.db import transaction

    from pithos.api import objects
    from pithos.blocks.directory import DirectoryStore
    from pithos.logic import quota, statistics, uploads, versions

    def after_commit() -> None:
        _before(objects, "_written")

    def at_commit() -> None:
        # The outermost block of the request's transaction is about to end.
        original = transaction.Atomic.__exit__

        def dying(self: Any, kind: Any, value: Any, trace: Any) -> None:
            if kind is None and uploads_done:
                _kill()
            original(self, kind, value, trace)

        uploads_done: list[int] = []
        finish = uploads.finish_write

        def noted(*arguments: Any, **keywords: Any) -> Any:
            written = finish(*arguments, **keywords)
            uploads_done.append(1)
            return written

        uploads.finish_write = noted
        transaction.Atomic.__exit__ = dying  # type: ignore[method-assign]

    return {
        "before the first block": lambda: _before(DirectoryStore, "put"),
        "between blocks": lambda: _before(DirectoryStore, "put", times=2),
        "before the map": lambda: _before(DirectoryStore, "put_map"),
        "before the transaction": lambda: _before(uploads, "lock_with_latest"),
        "before the version": lambda: _before(versions, "add"),
        "before the sums": lambda: _before(statistics, "applying"),
        "before the charge": lambda: _before(quota, "commit"),
        "before the commit": at_commit,
        "after the commit": after_commit,
    }


def _request(task: dict[str, Any], path: str, point: str) -> None:
    from django.db import connection
    from django.test import Client

    connection.settings_dict["NAME"] = task["database"]
    _points()[point]()
    Client().put(path, task["body"], content_type="text/plain", headers={"X-Auth-Token": task["token"]})


def main() -> None:
    """Send every request and print by which signal its process ended."""
    import django
    from django.conf import settings
    from django.test.utils import setup_test_environment

    task = json.load(sys.stdin)
    django.setup()
    setup_test_environment()
    settings.PITHOS_BACKEND_BLOCK_PATH = task["blocks"]
    settings.PITHOS_BACKEND_BLOCK_SIZE = task["block_size"]
    ends = {}
    for point, path in task["requests"].items():
        child = os.fork()
        if not child:
            _request(task, path, point)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        ends[point] = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    print(json.dumps(ends))


if __name__ == "__main__":
    main()
