"""A private memcached."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Self

from tests.lab.instance import Instance, Unavailable, free_ports, port_answers


class Memcached(Instance):
    """memcached on a free port of the loopback address."""

    component = "memcached"

    def __init__(self) -> None:
        super().__init__()
        binary = shutil.which("memcached")
        if binary is None:
            raise Unavailable("memcached is not installed")
        self._binary = binary
        self.port = free_ports(1)[0]
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """``host:port``, as Django's LOCATION wants it."""
        return f"127.0.0.1:{self.port}"

    def _start(self) -> None:
        identity = ["-u", "nobody"] if os.getuid() == 0 else []
        self._server = self.spawn_process(
            [self._binary, *identity, "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-m", "32"],
            log="memcached.log",
        )
        self.wait_for(lambda: port_answers(self.port), child=self._server, log="memcached.log", timeout=120)

    def kill(self) -> None:
        """End it; everything it held is gone."""
        assert self._server is not None
        self.end_process(self._server)

    def restart(self) -> Self:
        """Empty memory, same address."""
        assert self._server is not None
        if self._server.poll() is None:
            self.kill()
        self._start()
        return self
