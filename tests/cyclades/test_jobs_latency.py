"""Nobody who asks for a job waits for Ganeti."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connections

from cyclades.ganeti import clients, jobs, repair, requests, waiting
from cyclades.models import IntentState, JobIntent, Server, Task
from synnefo import clock
from synnefo.db.locks import atomic
from synnefo.errors import Conflict
from tests.cyclades.ganeti_fixtures import make_intent
from tests.markers import needs_postgres

pytestmark = [pytest.mark.db, needs_postgres, pytest.mark.django_db(transaction=True)]


class SlowGaneti:
    """Is ``asked``, and answers only once it ``may_answer``."""

    def __init__(self) -> None:
        self.asked, self.may_answer, self.answered = (threading.Event() for _ in range(3))

    def __call__(self, _method: str) -> None:
        self.asked.set()
        self.may_answer.wait(180)
        self.answered.set()


@pytest.fixture
def slow(cluster, settings) -> Iterator[SlowGaneti]:
    settings.GANETI_SUBMIT_IN_BACKGROUND = True
    cluster.before_call = ganeti = SlowGaneti()
    yield ganeti
    ganeti.may_answer.set()


def stop(server: Server) -> JobIntent:
    with atomic():
        return jobs.intend(server=server, operation=Task.STOP, payload=requests.shutdown_payload())


def test_the_caller_returns_before_ganeti_answers(make_server, slow):
    server = make_server()
    intent = stop(server)
    assert not slow.answered.is_set()
    assert Server.objects.get(pk=server.pk).task == Task.STOP
    slow.may_answer.set()
    assert waiting.wait_for_submission(intent, timeout=120) == 100
    assert intent.state == IntentState.SUBMITTED


def test_the_servers_row_is_free_while_ganeti_takes_its_time(make_server, slow):
    server = make_server()
    intent = stop(server)
    assert slow.asked.wait(120)
    with atomic():
        assert Server.objects.select_for_update(nowait=True).get(pk=server.pk).task == Task.STOP
    slow.may_answer.set()
    assert waiting.wait_for_submission(intent, timeout=120) == 100


def test_repair_tasks_side_by_side_submit_every_job_once(make_server, cluster):
    servers = [make_server() for _ in range(12)]
    long_ago = clock.now() - timedelta(hours=1)
    for server in servers:
        make_intent(server, Task.STOP, "shutdown")
    JobIntent.objects.update(created=long_ago)
    cluster.before_call = lambda _: time.sleep(0.01)

    def run() -> None:
        try:
            repair.run_once()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=180)
    assert cluster.methods().count("ShutdownInstance") == len(servers)
    assert set(JobIntent.objects.values_list("state", "attempts")) == {(IntentState.SUBMITTED, 1)}


def test_whoever_waits_learns_of_a_refusal(make_server, cluster):
    cluster.failure = clients.RapiRefused(400, "no")
    intent = stop(make_server())
    with pytest.raises(Conflict, match="not submitted"):
        waiting.wait_for_submission(intent, timeout=60)
