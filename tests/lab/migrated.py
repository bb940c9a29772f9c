"""Databases to which every migration is applied, made once for each state of the migrations.

A run of the suite starts a dozen sites and several processes of tests; to migrate each of their databases
from nothing takes more time than most of the tests on it. Migrating a filled database does nothing, so
whoever uses these still migrates as an administrator would.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.lab.instance import cache_directory, file_lock
from tests.lab.postgres import binary_directory

PROJECT = Path(__file__).resolve().parents[2]
_PACKAGES = ("django", "social-auth-app-django")
#: How many older states are kept; branches alternate between a few.
_KEPT = 12


def state() -> str:
    """Return a digest of all migrations, ours and those of the libraries."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        digest.update(f"{package} {importlib.metadata.version(package)}\n".encode())
    for path in sorted(PROJECT.glob("*/migrations/*.py")):
        digest.update(path.relative_to(PROJECT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def sqlite_file() -> Path:
    """Return a migrated SQLite database; copy it before use."""
    return _made("sqlite3", _migrate_sqlite)


def fill(url: str) -> None:
    """Bring the empty PostgreSQL database at *url* to the state of the migrations."""
    dump = _made("sql", lambda path: _dump_migrated(url, path))
    _psql(url, "-f", str(dump))


def template(url: str) -> str:
    """Return the name of a migrated database on the server of *url*, for ``CREATE DATABASE … TEMPLATE``."""
    name = f"synnefo_migrated_{state()}"
    with file_lock(cache_directory() / "migrated.lock"):
        known = _psql(url, "-c", f"SELECT 1 FROM pg_database WHERE datname = '{name}'")
        if not known.strip():
            _psql(
                url,
                "-c",
                f'DROP DATABASE IF EXISTS "{name}_making"',
                "-c",
                f'CREATE DATABASE "{name}_making"',
            )
            _fill_locked(_beside(url, f"{name}_making"))
            _psql(url, "-c", f'ALTER DATABASE "{name}_making" RENAME TO "{name}"')
    return name


def use_in(connection: Any, url: str) -> None:
    """Let Django's test database of *connection* begin migrated; *url* is empty for SQLite."""
    if url:
        connection.settings_dict["TEST"]["TEMPLATE"] = template(url)
        return
    create = connection.creation._create_test_db

    def create_migrated(*arguments: Any, **options: Any) -> str:
        name: str = create(*arguments, **options)
        # An SQLite database in memory lives as long as somebody is connected to it.
        connection.migrated_source = sqlite3.connect(name, uri=True, check_same_thread=False)
        source = sqlite3.connect(sqlite_file())
        source.backup(connection.migrated_source)
        source.close()
        return name

    connection.creation._create_test_db = create_migrated


def _made(suffix: str, make: Callable[[Path], None]) -> Path:
    with file_lock(cache_directory() / "migrated.lock"):
        return _made_locked(suffix, make)


def _made_locked(suffix: str, make: Callable[[Path], None]) -> Path:
    path = cache_directory() / f"migrated-{state()}.{suffix}"
    if not path.exists():
        making = path.with_suffix(".making")
        making.unlink(missing_ok=True)
        make(making)
        making.rename(path)
        for old in sorted(path.parent.glob(f"migrated-*.{suffix}"), key=_age)[:-_KEPT]:
            old.unlink()
    return path


def _age(path: Path) -> float:
    return path.stat().st_mtime


def _fill_locked(url: str) -> None:
    dump = _made_locked("sql", lambda path: _dump_migrated(url, path))
    _psql(url, "-f", str(dump))


def _migrate_sqlite(path: Path) -> None:
    _migrate({"SYNNEFO_TEST_DATABASE": "sqlite", "SYNNEFO_TEST_SQLITE": str(path)})


def _dump_migrated(url: str, path: Path) -> None:
    name = f"synnefo_migrating_{os.getpid()}"
    scratch = _beside(url, name)
    _psql(url, "-c", f'CREATE DATABASE "{name}"')
    try:
        _migrate({"SYNNEFO_TEST_DATABASE": scratch})
        _tool("pg_dump", scratch, "--no-owner", "-f", str(path))
    finally:
        _psql(url, "-c", f'DROP DATABASE "{name}"')


def _migrate(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "django", "migrate", "-v0"]
    given = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(PROJECT), **environment}
    subprocess.run(command, env={**os.environ, **given}, cwd=PROJECT, check=True, timeout=300)


def _beside(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


def _psql(url: str, *arguments: str) -> str:
    return _tool("psql", _beside(url, "postgres") if "-c" in arguments else url, "-XqAt", *arguments)


def _tool(name: str, url: str, *arguments: str) -> str:
    command = [binary_directory() / name, *arguments, "-d", url]
    if name == "psql":
        command[1:1] = ["-v", "ON_ERROR_STOP=1"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
