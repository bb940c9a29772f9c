"""The first process of a private set of namespaces: waits, and buries orphans.

Runs without the project (``python -I -S``). Daemons whose parents end become its children; unburied ones
would look alive to programs that ask for them by process id, as Ganeti does.
"""

import os
import signal
import time


def main() -> None:
    """Reap children until killed."""
    # Interrupts of the terminal are the owner's business; it ends us when it has cleaned up.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    print("ready", flush=True)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            time.sleep(0.2)


if __name__ == "__main__":
    main()
