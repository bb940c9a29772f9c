"""How an outage of RADOS is met, and processes that fork: with a binding that only pretends."""

from __future__ import annotations

import errno
from types import SimpleNamespace

import pytest

from synnefo import rados_client
from synnefo.rados_client import (
    Cluster,
    RadosChanged,
    RadosError,
    RadosFull,
    RadosNotFound,
    RadosUnavailable,
)

pytestmark = pytest.mark.unit


class Error(Exception):
    def __init__(self, number: int = 0) -> None:
        super().__init__(f"error {number}")
        self.errno = number


class TimedOut(Error):
    pass


class Handle:
    """A connection; ``made`` keeps what each was told."""

    made: list[dict] = []

    def __init__(self, **options) -> None:
        Handle.made.append(options)

    def connect(self) -> None:
        pass

    def pool_exists(self, _: str) -> bool:
        return True

    def open_ioctx(self, pool: str) -> SimpleNamespace:
        return SimpleNamespace(pool=pool, set_osdmap_full_try=lambda: None)


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    Handle.made = []
    binding = SimpleNamespace(Error=Error, TimedOut=TimedOut, Rados=Handle)
    monkeypatch.setattr(rados_client, "_binding", binding)
    conf = tmp_path / "ceph.conf"
    conf.touch()
    return Cluster(str(conf), client="client.x", connect_seconds=0.5, operation_seconds=7, create=True)


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def fail(error: Exception):
    def operation(_):
        raise error

    return operation


def test_every_wait_is_bounded_by_whole_seconds_and_never_zero(cluster):
    assert cluster.run("blocks", lambda context: context.pool) == "blocks"
    (options,) = Handle.made
    assert options["conf"]["client_mount_timeout"] == "1"
    assert options["conf"]["rados_osd_op_timeout"] == "7"
    assert options["name"] == "client.x"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, RadosNotFound),
        (errno.ENOSPC, RadosFull),
        (errno.EDQUOT, RadosFull),
        (errno.EOVERFLOW, RadosChanged),
        (errno.ERANGE, RadosChanged),
        (4099, RadosChanged),
        (errno.ETIMEDOUT, RadosUnavailable),
        (errno.EIO, RadosError),
    ],
)
def test_errors_are_told_apart(cluster, number, kind):
    with pytest.raises(RadosError) as caught:
        cluster.run("blocks", fail(Error(number)))
    assert type(caught.value) is kind


def test_after_two_timeouts_one_caller_tries_and_the_others_are_refused_at_once(cluster, clock):
    calls: list[int] = []

    def time_out(_):
        calls.append(1)
        raise TimedOut(errno.ETIMEDOUT)

    for _ in range(4):
        with pytest.raises(RadosUnavailable):
            cluster.run("blocks", time_out)
    assert len(calls) == 2
    clock[0] += 3
    with pytest.raises(RadosUnavailable):  # the one that tries
        cluster.run("blocks", time_out)
    with pytest.raises(RadosUnavailable):
        cluster.run("blocks", time_out)
    assert len(calls) == 3
    clock[0] += 3
    assert cluster.run("blocks", lambda _: "back") == "back"
    assert cluster.run("blocks", lambda _: "back") == "back"


def test_while_one_tries_nobody_else_does(cluster, clock):
    for _ in range(2):
        with pytest.raises(RadosUnavailable):
            cluster.run("blocks", fail(TimedOut()))
    clock[0] += 3

    def try_while_another_does(_):
        with pytest.raises(RadosUnavailable):
            cluster.run("blocks", lambda _: "never")
        return "slow"

    assert cluster.run("blocks", try_while_another_does) == "slow"


@pytest.mark.parametrize("answer", [lambda _: 1, fail(Error(errno.ENOENT))])
def test_slow_placement_groups_among_good_ones_are_no_outage(cluster, clock, answer):
    for _ in range(5):
        with pytest.raises(RadosUnavailable):
            cluster.run("blocks", fail(TimedOut()))
        try:
            cluster.run("blocks", answer)
        except RadosNotFound:
            pass


def test_a_forked_process_makes_a_connection_of_its_own(cluster, monkeypatch):
    cluster.run("blocks", lambda _: None)
    cluster.run("blocks", lambda _: None)
    assert len(Handle.made) == 1
    monkeypatch.setattr("os.getpid", lambda: 1)
    cluster.run("blocks", lambda _: None)
    assert len(Handle.made) == 2


def test_a_missing_configuration_is_named(monkeypatch, cluster):
    other = Cluster("/nowhere/ceph.conf", client="c", connect_seconds=1, operation_seconds=1, create=False)
    with pytest.raises(RadosUnavailable, match=r"/nowhere/ceph\.conf"):
        other.run("blocks", lambda _: None)
