"""``snf-vncauthproxy``: the console proxy as a daemon (compute contract 8.3)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from gtools.vncauthproxy import options as proxy_options
from gtools.vncauthproxy.accounts import AccountsError
from gtools.vncauthproxy.server import Proxy
from synnefo.service_status import notify_systemd

logger = logging.getLogger("snf-vncauthproxy")
_FAILURES = (AccountsError, proxy_options.OptionsError, OSError)


async def run(options: proxy_options.ProxyOptions) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reads the files anew."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    proxy = Proxy(options)
    await proxy.start()

    def reload() -> None:
        try:
            proxy.reload()
        except _FAILURES as error:
            logger.error("what was read before goes on: %s", error)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
    notify_systemd("READY=1")
    try:
        await stopped.wait()
    finally:
        notify_systemd("STOPPING=1")
        await proxy.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the daemon; return the exit status."""
    parsed = proxy_options.parse(arguments)
    pid_file = Path(parsed.pid_file)
    try:
        logging.basicConfig(
            filename=None if parsed.debug else parsed.log,
            level=logging.DEBUG if parsed.debug else logging.INFO,
            format="%(asctime)s %(levelname)s %(name)s %(message)s",
        )
        options = proxy_options.from_arguments(parsed)
        pid_file.write_text(f"{os.getpid()}\n")
    except _FAILURES as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    # The event loop's own debug lines tell nothing about consoles.
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    try:
        asyncio.run(run(options))
    except _FAILURES as error:
        logger.error("%s", error)
        sys.stderr.write(f"error: {error}\n")
        return 1
    finally:
        with contextlib.suppress(OSError):
            pid_file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
