"""Fixtures that start real components, once per run, and the rule about skipped tests in CI."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from django.db import connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from synnefo import clock, rate_limit
from tests import built_once, environment, flushing, translated
from tests.kept import kept  # noqa: F401
from tests.lab import migrated
from tests.lab.demo import Demo, running_demo
from tests.lab.ganeti import GanetiCluster
from tests.lab.instance import Instance, Unavailable
from tests.lab.kamaki import PYTHON_MISSING, Kamaki, kamaki_program
from tests.lab.memcached import Memcached
from tests.lab.names import resolve_here
from tests.lab.packages import why_missing
from tests.lab.rabbitmq import RabbitMQ
from tests.scheduling import ByUnit, order, unit_of

# Workers, daemons and commands would each translate all sources anew where this is switched off.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# What a busy machine makes slow is not wrong.
hypothesis_settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("busy")
built_once.static_files()
built_once.routes()
built_once.tls_contexts()
built_once.middleware()

_Component = TypeVar("_Component", bound=Instance | RabbitMQ)


def started(make: Callable[[], _Component]) -> _Component:
    """Start a component, or skip the test when this machine lacks it."""
    try:
        component = make()
        component.start()
    except Unavailable as error:
        pytest.skip(why_missing(str(error)))
    return component


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """URL of a superuser's PostgreSQL database; tests make databases of their own beside it."""
    url = environment.database_url()
    if not url:
        pytest.skip(why_missing("PostgreSQL is not installed"))
    return url


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Begin the test database migrated; to do that from nothing takes as long as hundreds of tests."""
    migrated.use_in(connection, environment.database_url())
    flushing.flush_only_filled_tables(connection)


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """One RabbitMQ node; whoever stops it starts it again."""
    broker = started(RabbitMQ)
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def memcached() -> Iterator[Memcached]:
    """One memcached."""
    server = started(Memcached)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def ganeti() -> Iterator[GanetiCluster]:
    """A real cluster whose instances are marker files; its name resolves in this process."""
    cluster = started(lambda: GanetiCluster(hypervisors=("fake",)))
    with resolve_here(cluster.names):
        yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def ganeti_kvm() -> Iterator[GanetiCluster]:
    """A real cluster that runs QEMU guests; its name resolves in this process."""
    cluster = started(lambda: GanetiCluster(hypervisors=("kvm", "fake")))
    with resolve_here(cluster.names):
        yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo cloud, as ``make run`` starts it; who changes it leaves it as it was."""
    with running_demo(tmp_path_factory.mktemp("demo")) as cloud:
        yield cloud


@pytest.fixture
def kamaki(tmp_path_factory: pytest.TempPathFactory) -> Kamaki:
    """The kamaki client with a configuration of its own."""
    try:
        program = kamaki_program()
    except Unavailable as error:
        pytest.skip(str(error))
    return Kamaki(program, tmp_path_factory.mktemp("kamaki"))


@pytest.fixture
def one_period(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits count in a minute, or an hour, that does not end during the test."""
    moment = clock.now()
    monkeypatch.setattr(rate_limit, "clock", SimpleNamespace(now=lambda: moment))


# -- who runs what, when several processes share the work ------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Begin with what all processes need."""
    translated.share(session.config)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByUnit:
    """Give out whole modules, and modules that share a cluster together."""
    config.option.loadscopereorder = False
    return ByUnit(config, log)


@pytest.hookimpl(trylast=True)  # after pytest-django, which puts tests that empty the database last
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the units of work in the order in which they are given out."""
    places = order(unit_of(item.nodeid) for item in items)
    items.sort(key=lambda item: places[unit_of(item.nodeid)])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep the garbage collector from looking again and again at what lives until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


# -- skipped tests in CI -------------------------------------------------------------------------------


def _forbidden_skip(report: pytest.TestReport | pytest.CollectReport) -> str | None:
    """Why a skip must count as a failure; None when it may stay one."""
    if not report.skipped or os.environ.get("CI") != "true" or hasattr(report, "wasxfail"):
        return None
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if PYTHON_MISSING in reason:
        return None
    return f"skipped, which CI does not accept: {reason}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Turn skips into failures in CI."""
    outcome: Any = yield
    report = outcome.get_result()
    complaint = _forbidden_skip(report)
    if complaint:
        report.outcome, report.longrepr = "failed", complaint


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Turn skipped modules into failures in CI."""
    outcome: Any = yield
    report = outcome.get_result()
    complaint = _forbidden_skip(report)
    if complaint:
        report.outcome, report.longrepr = "failed", complaint
