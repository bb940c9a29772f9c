"""Resizing in Nova's way: from a running server, to be confirmed or taken back (compute contract 22.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from astakos.models import Holding
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import nova_resize, quota, quota_reconciliation, server_change, server_events
from cyclades.models import Flavor, JobIntent, Server, ServerResize, ServerState, Task
from synnefo import clock
from synnefo.errors import BadRequest
from tests.cyclades.compute_fixtures import Person
from tests.cyclades.ganeti_fixtures import op_event

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.usefixtures("submitted")]

_OPCODES = {
    Task.STOP: Opcode.INSTANCE_SHUTDOWN,
    Task.RESIZE: Opcode.INSTANCE_SET_PARAMS,
    Task.START: Opcode.INSTANCE_STARTUP,
}


@dataclass
class Story:
    """A server whose owner uses Nova's profile, and Ganeti's jobs about it."""

    person: Person
    pk: int
    commit: Callable[[], Any]
    moments: int = 0

    @property
    def server(self) -> Server:
        return Server.objects.select_related("flavor", "backend", "resize").get(pk=self.pk)

    def act(self, name: str, value: object = None) -> int:
        with self.commit():
            answer = self.person.api.call("POST", f"v2.1/servers/{self.pk}/action", {name: value})
        return int(answer.status_code)

    def shown(self) -> tuple[str, str]:
        server = self.person.api.call("GET", f"v2.1/servers/{self.pk}").json()["server"]
        return server["status"], server["flavor"]["id"]

    def job_ends(self, status: str = "success") -> str:
        """End the job of the server's task; returns the task."""
        self.moments += 1
        server = self.server
        task = server.task
        Server.objects.filter(pk=self.pk).update(task_job_id=self.moments)
        fields = {}
        if task == Task.RESIZE:
            intent = JobIntent.objects.filter(server=server, operation=task).latest("pk")
            fields = {"beparams": intent.payload["body"]["beparams"]}
        server = self.server
        event = op_event(
            server, _OPCODES[Task(task)], status=status, job=self.moments, at=self.moments, job_fields=fields
        )
        with self.commit():
            server_events.apply(server, event)
        return str(task)


@pytest.fixture
def story(
    person: Person, make_server: Callable[..., Server], django_capture_on_commit_callbacks: Any
) -> Story:
    server = make_server()
    charge = quota.server_deltas(server, Task.DESTROY)
    quota.charge_now(
        server.userid, {p: {n: -q for n, q in r.items()} for p, r in charge.items()}, name="test"
    )
    return Story(person, server.pk, lambda: django_capture_on_commit_callbacks(execute=True))


def test_a_running_server_is_stopped_resized_and_started(story: Story, bigger_flavor: Flavor) -> None:
    assert story.act("resize", {"flavorRef": str(bigger_flavor.pk)}) == 202
    assert story.shown()[0] == "RESIZE"
    assert [story.job_ends() for _ in range(3)] == ["STOP", "RESIZE", "START"]
    assert story.shown() == ("VERIFY_RESIZE", str(bigger_flavor.pk))
    assert story.person.usage("cyclades.cpu") == (4, 0)
    assert story.person.usage("cyclades.total_cpu") == (4, 0)
    listed = story.person.api.call("GET", "v2.1/servers?status=VERIFY_RESIZE").json()["servers"]
    assert [server["id"] for server in listed] == [str(story.pk)]
    assert story.act("confirmResize") == 204
    assert story.shown() == ("ACTIVE", str(bigger_flavor.pk))
    assert not ServerResize.objects.exists()


def test_a_stopped_server_stays_stopped(story: Story, bigger_flavor: Flavor) -> None:
    Server.objects.update(operstate=ServerState.STOPPED)
    assert story.act("resize", {"flavorRef": str(bigger_flavor.pk)}) == 202
    assert story.job_ends() == "RESIZE"
    assert (story.server.task, story.shown()[0]) == ("", "VERIFY_RESIZE")


def test_a_resize_is_taken_back(story: Story, flavor: Flavor, bigger_flavor: Flavor) -> None:
    story.act("resize", {"flavorRef": str(bigger_flavor.pk)})
    for _ in range(3):
        story.job_ends()
    assert story.act("revertResize") == 202
    assert story.shown()[0] == "REVERT_RESIZE"
    assert [story.job_ends() for _ in range(3)] == ["STOP", "RESIZE", "START"]
    assert story.shown() == ("ACTIVE", str(flavor.pk))
    assert story.person.usage("cyclades.cpu") == (2, 0)


def test_a_resize_that_fails_is_taken_back(story: Story, flavor: Flavor, bigger_flavor: Flavor) -> None:
    story.act("resize", {"flavorRef": str(bigger_flavor.pk)})
    story.job_ends()
    assert story.job_ends("error") == "RESIZE"
    assert story.job_ends() == "START"
    assert story.shown() == ("ACTIVE", str(flavor.pk))
    assert story.server.diagnostics.exists()


def test_a_server_that_does_not_stop_keeps_its_flavor(story: Story, bigger_flavor: Flavor) -> None:
    story.act("resize", {"flavorRef": str(bigger_flavor.pk)})
    assert story.job_ends("error") == "STOP"
    assert (story.server.task, story.shown()[0]) == ("", "ACTIVE")


def test_quota_is_asked_for_before_anything_is_stopped(
    story: Story, volume_type: Any, person: Person
) -> None:
    huge = Flavor.objects.create(cpu=100_000, ram=1024, disk=20, volume_type=volume_type)
    assert story.act("resize", {"flavorRef": str(huge.pk)}) == 403
    assert story.server.task == ""
    assert not ServerResize.objects.exists()


def test_what_a_dead_process_left_is_gone_on_with(story: Story, bigger_flavor: Flavor) -> None:
    story.act("resize", {"flavorRef": str(bigger_flavor.pk)})
    # As if the process had died between the commit and what follows it.
    Server.objects.update(task="", task_job_id=None, serial=None, operstate=ServerState.STOPPED)
    assert nova_resize.run_due() == 1
    assert story.server.task == "RESIZE"
    assert nova_resize.run_due() == 0


def test_a_success_that_was_overtaken_is_no_failure(
    story: Story, flavor: Flavor, bigger_flavor: Flavor
) -> None:
    story.act("resize", {"flavorRef": str(bigger_flavor.pk)})
    story.job_ends()
    server = story.server
    server_events.apply(server, op_event(server, Opcode.INSTANCE_SHUTDOWN, job=99, at=50))
    assert story.job_ends() == "RESIZE"
    assert story.shown()[1] == str(flavor.pk)
    assert (story.server.task, story.server.diagnostics.exists()) == ("RESIZE", False)
    story.moments = 60
    assert [story.job_ends() for _ in range(2)] == ["RESIZE", "START"]
    assert story.shown() == ("VERIFY_RESIZE", str(bigger_flavor.pk))
    assert story.person.usage("cyclades.cpu") == (bigger_flavor.cpu, 0)


def test_one_resize_that_breaks_keeps_no_other_from_going_on(
    story: Story, bigger_flavor: Flavor, make_server: Callable[..., Server], monkeypatch: Any
) -> None:
    story.act("resize", {"flavorRef": str(bigger_flavor.pk)})
    older = ServerResize.objects.create(old_flavor=bigger_flavor, flavor=bigger_flavor, restart=False)
    ServerResize.objects.filter(pk=older.pk).update(created=clock.now() - timedelta(hours=1))
    broken = make_server(resize=older)
    Server.objects.update(task="", task_job_id=None, serial=None, operstate=ServerState.STOPPED)
    step = nova_resize._step

    def breaks_once(server: Server, plan: ServerResize) -> Any:
        if server.pk == broken.pk:
            raise ValueError("nobody thought of this")
        return step(server, plan)

    monkeypatch.setattr(nova_resize, "_step", breaks_once)
    assert nova_resize.run_due() == 2
    assert story.server.task == "RESIZE"


def test_one_resize_at_a_time(story: Story, flavor: Flavor, bigger_flavor: Flavor) -> None:
    assert story.act("revertResize") == 409
    assert story.act("confirmResize") == 204
    story.act("resize", {"flavorRef": str(bigger_flavor.pk)})
    assert story.act("confirmResize") == 409
    assert story.act("revertResize") == 409
    for _ in range(3):
        story.job_ends()
    assert story.act("resize", {"flavorRef": str(flavor.pk)}) == 409


def test_the_end_of_the_server_ends_its_resize(story: Story, bigger_flavor: Flavor) -> None:
    story.act("resize", {"flavorRef": str(bigger_flavor.pk)})
    server = story.server
    server_events.apply(server, op_event(server, Opcode.INSTANCE_REMOVE, at=9))
    assert story.server.deleted
    assert not ServerResize.objects.exists()


def test_who_asks_for_changes_hears_of_every_status(story: Story, bigger_flavor: Flavor) -> None:
    story.act("resize", {"flavorRef": str(bigger_flavor.pk)})
    for _ in range(3):
        story.job_ends()
    long_ago = clock.now() - timedelta(hours=1)
    ServerResize.objects.update(settled=False)
    Server.objects.update(updated=long_ago)
    nova_resize.run_due()
    assert story.shown()[0] == "VERIFY_RESIZE"
    assert story.server.updated > long_ago
    Server.objects.update(updated=long_ago)
    assert story.act("confirmResize") == 204
    assert story.server.updated > long_ago


def test_what_was_charged_at_the_beginning_is_enough_to_the_end(story: Story, bigger_flavor: Flavor) -> None:
    story.act("resize", {"flavorRef": str(bigger_flavor.pk)})
    Holding.objects.filter(holder=f"user:{story.person.uuid}").update(limit=0)
    assert story.person.usage("cyclades.cpu") == (4, 0)
    assert story.job_ends() == "STOP"
    assert story.person.usage("cyclades.cpu") == (4, 0)
    assert [story.job_ends() for _ in range(2)] == ["RESIZE", "START"]
    assert (story.shown()[0], story.person.usage("cyclades.cpu")) == ("VERIFY_RESIZE", (4, 0))


@pytest.mark.parametrize("answer", ["confirmResize", "revertResize"])
def test_the_larger_flavor_is_charged_until_the_answer(
    story: Story, flavor: Flavor, bigger_flavor: Flavor, answer: str
) -> None:
    other = Flavor.objects.create(cpu=1, ram=bigger_flavor.ram, disk=20, volume_type=flavor.volume_type)
    story.act("resize", {"flavorRef": str(other.pk)})
    for _ in range(3):
        story.job_ends()
    sizes = ("cyclades.total_cpu", "cyclades.total_ram", "cyclades.cpu", "cyclades.ram")
    assert [story.person.usage(name)[0] for name in sizes] == [flavor.cpu, other.ram << 20] * 2
    assert not quota_reconciliation.compare().unsynced
    Holding.objects.filter(holder=f"user:{story.person.uuid}").update(limit=0)
    story.act(answer)
    for step in range(3 if answer == "revertResize" else 0):
        assert not quota_reconciliation.compare().unsynced, step
        story.job_ends()
    kept = other if answer == "confirmResize" else flavor
    assert story.shown() == ("ACTIVE", str(kept.pk))
    assert [story.person.usage(name)[0] for name in sizes] == [kept.cpu, kept.ram << 20] * 2
    assert not quota_reconciliation.compare().unsynced


def test_a_server_that_goes_before_the_answer_leaves_nothing_charged(
    story: Story, bigger_flavor: Flavor
) -> None:
    story.act("resize", {"flavorRef": str(bigger_flavor.pk)})
    for _ in range(3):
        story.job_ends()
    server = story.server
    server_events.apply(server, op_event(server, Opcode.INSTANCE_REMOVE, at=9))
    assert [story.person.usage(f"cyclades.{name}")[0] for name in ("vm", "total_cpu", "cpu", "ram")] == [
        0
    ] * 4


def test_a_server_that_does_not_start_again_is_charged_as_stopped(
    story: Story, bigger_flavor: Flavor
) -> None:
    story.act("resize", {"flavorRef": str(bigger_flavor.pk)})
    assert [story.job_ends(), story.job_ends(), story.job_ends("error")] == ["STOP", "RESIZE", "START"]
    assert story.shown()[0] == "VERIFY_RESIZE"
    assert (story.person.usage("cyclades.cpu"), story.person.usage("cyclades.total_cpu")) == ((0, 0), (4, 0))


def test_a_server_that_may_not_start_again_is_charged_as_stopped(
    story: Story, bigger_flavor: Flavor, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise = server_change.promise

    def refuse(server: Server, change: server_change.JobChange, **options: bool) -> JobIntent:
        if change.task == Task.START:
            raise BadRequest("not in the project")
        return promise(server, change, **options)

    monkeypatch.setattr(server_change, "promise", refuse)
    story.act("resize", {"flavorRef": str(bigger_flavor.pk)})
    assert [story.job_ends(), story.job_ends()] == ["STOP", "RESIZE"]
    assert (story.server.task, story.shown()[0]) == ("", "VERIFY_RESIZE")
    assert story.person.usage("cyclades.cpu") == (0, 0)
    assert not quota_reconciliation.compare().unsynced
