"""The lab itself: components start, stop, restart, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psycopg2
import pytest

from tests.conftest import started
from tests.lab.instance import is_alive, port_answers, reap_stale, registry_directory, start_ticks
from tests.lab.memcached import Memcached
from tests.lab.postgres import PostgreSQL

pytestmark = pytest.mark.functional


def test_postgres_keeps_its_data_over_a_crash() -> None:
    with started(PostgreSQL) as server:
        server.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (7)", "synnefo")
        server.execute("CHECKPOINT")
        server.restart(immediate=True)
        assert server.execute("SELECT n FROM t", "synnefo").strip() == "7"
    assert not port_answers(server.port)
    assert not server.directory.exists()


def test_two_servers_run_side_by_side() -> None:
    with started(PostgreSQL) as first, started(PostgreSQL) as second:
        first.create_database("only_here")
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(second.url("only_here"))
        psycopg2.connect(first.url("only_here")).close()


def test_memcached_comes_back_empty_at_the_same_address() -> None:
    with started(Memcached) as server:
        address = server.address
        server.restart()
        assert server.address == address
        assert port_answers(server.port)
    assert not port_answers(server.port)


def test_a_crashed_run_is_cleaned_by_the_next() -> None:
    program = (
        "import os\nfrom tests.lab.memcached import Memcached\nserver = Memcached().start()\n"
        "print(server.name, server._server.pid, flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert result.returncode == -signal.SIGKILL, result.stderr
    name, pid = result.stdout.split()
    assert (registry_directory() / name).exists()
    assert name in reap_stale()
    assert not (registry_directory() / name).exists()
    assert start_ticks(int(pid)) is None


def test_a_recycled_process_id_is_not_signalled() -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    directory = registry_directory() / f"test-{sleeper.pid}"
    directory.mkdir()
    try:
        ticks = start_ticks(sleeper.pid)
        assert ticks is not None
        record = f'{{"owner": [{os.getpid()}, 1], "processes": [[{sleeper.pid}, {ticks - 1}]], "links": []}}'
        (directory / "instance.json").write_text(record)
        assert directory.name in reap_stale()
        assert is_alive(sleeper.pid, ticks)
    finally:
        sleeper.kill()
        sleeper.wait()


def test_instances_of_a_living_run_are_left_alone() -> None:
    with started(Memcached) as server:
        assert server.name not in reap_stale()
        assert port_answers(server.port)


def test_the_registry_is_not_shared_with_other_users() -> None:
    assert registry_directory().stat().st_uid == os.getuid()
    assert registry_directory().name.endswith(str(os.getuid()))
