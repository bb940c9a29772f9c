"""Gives birth to dispatchers quickly: a process that has loaded everything and forks one at each line.

Run as a program; every line on standard input makes a dispatcher, whose process id is the answer.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, NoReturn


def main() -> None:
    import django

    django.setup()
    from cyclades.dispatcher.service import Dispatcher

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            _serve(Dispatcher())
        print(child, flush=True)


def _serve(dispatcher: Any) -> NoReturn:
    signal.signal(signal.SIGTERM, lambda *_: dispatcher.stop())
    dispatcher.run()
    os._exit(0)


if __name__ == "__main__":
    main()
