"""A private PostgreSQL server."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
from pathlib import Path

from tests.lab.instance import Instance, Unavailable, cache_directory, file_lock, free_ports, run_tool

#: Durability is worth nothing in a cluster that is thrown away: these settings save most of the time.
_THROWN_AWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    # In its own directory, which is removed, not where a killed server would leave it for ever.
    "dynamic_shared_memory_type": "mmap",
}
_SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "lc_messages": "C",
}


def binary_directory() -> Path:
    """Directory with ``initdb`` and ``postgres`` of the newest installed PostgreSQL; else Unavailable."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()]
    if found:
        return max(found, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0))
    on_path = shutil.which("initdb")
    if on_path is None:
        raise Unavailable("PostgreSQL is not installed")
    return Path(on_path).resolve().parent


class PostgreSQL(Instance):
    """A cluster with one superuser ``synnefo``, on the loopback address and a socket in its directory.

    ``durable``: commits reach the disk as on a real site, for measurements. ``crashes``: commits are there
    after a crash of the server, though not of the machine.
    """

    component = "postgres"
    user = "synnefo"
    password = "synnefo"

    def __init__(self, *, durable: bool = False, crashes: bool = False) -> None:
        super().__init__()
        self.settings = _SETTINGS if durable else _SETTINGS | _THROWN_AWAY
        if crashes:
            self.settings = self.settings | {"synchronous_commit": "on"}
        self.binaries = binary_directory()
        self.port = free_ports(1)[0]
        # The server refuses to run as root; Debian's package brings this account.
        self.system_user = "postgres" if os.getuid() == 0 else None
        self._server: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "synnefo") -> str:
        """``postgres://…`` of one database of this cluster."""
        return f"postgres://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"

    def _start(self) -> None:
        if self.system_user is not None:
            account = pwd.getpwnam(self.system_user)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        self._make_data()
        self._launch()
        self.create_database("synnefo")

    def _make_data(self) -> None:
        """Copy the data of a new cluster, made once: that costs a tenth of making it."""
        data = self.directory / "data"
        program = self.binaries / "postgres"
        made = cache_directory() / f"postgres-{self.binaries.parent.name}-{program.stat().st_mtime_ns}"
        with file_lock(cache_directory() / "postgres.lock"):
            if not made.exists():
                self._initialise(data)
                for old in cache_directory().glob("postgres-*"):
                    shutil.rmtree(old)
                making = made.with_name("postgres-making")
                subprocess.run(["cp", "-a", data, making], check=True)
                making.rename(made)
            else:
                subprocess.run(["cp", "-a", made, data], check=True)

    def _initialise(self, data: Path) -> None:
        password_file = self.directory / "password"
        password_file.write_text(self.password)
        password_file.chmod(0o644)
        options = ["-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        self._run_tool("initdb", "-D", data, "-U", self.user, "--pwfile", password_file, *options)

    def _run_tool(self, tool: str, *arguments: str | Path) -> str:
        return run_tool(
            [self.binaries / tool, *arguments],
            directory=self.directory,
            environment={**os.environ, "PGPASSWORD": self.password},
            user=self.system_user,
        )

    def _launch(self) -> None:
        options = [f"-c{name}={value}" for name, value in self.settings.items()]
        options += ["-h", "127.0.0.1", "-p", str(self.port)]
        self._server = self.spawn_process(
            [self.binaries / "postgres", "-D", self.directory / "data", "-k", self.directory, *options],
            log="postgres.log",
            user=self.system_user,
        )
        self.wait_for(self._is_ready, child=self._server, log="postgres.log", timeout=240)

    def _is_ready(self) -> bool:
        command = [str(self.binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Run one SQL statement as superuser; returns psql's unaligned output."""
        connection = ["-h", "127.0.0.1", "-p", str(self.port), "-U", self.user, "-d", database]
        return self._run_tool("psql", *connection, *["-XqAt", "-v", "ON_ERROR_STOP=1", "-c"], statement)

    def create_database(self, name: str) -> str:
        """Create an empty database; returns its URL."""
        self.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def _stop(self) -> None:
        if self._server is not None and self._server.poll() is None:
            # SIGINT is PostgreSQL's fast shutdown: it ends sessions instead of waiting for them.
            self.end_process(self._server, signal_number=signal.SIGINT)

    def restart(self, *, immediate: bool = False) -> None:
        """Stop (``immediate``: as in a crash, with SIGQUIT) and start again on the same port."""
        assert self._server is not None
        self.end_process(self._server, signal_number=signal.SIGQUIT if immediate else signal.SIGINT)
        self._launch()
