"""The life of a server and of its owner's keys against facts recorded from the original.

A fact may need something to have happened before: the function of its name sees to that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client

from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import floating_ips, passwords, quota, server_events
from cyclades.models import Flavor, PortState, Server, ServerState, ServerTag, TagStatus, Task
from tests import recorded
from tests.cyclades.ganeti_fixtures import add_port, add_volume, nic_of, op_event

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.usefixtures("submitted")]

DIFFERENCES: recorded.Differences = {}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGDVY7U8nbvBHvnMa9tMU0mnmHGSjM2ozFqrU6Am6xvD"


@dataclass
class Story:
    """The server of the story, and how Ganeti's events go on with it."""

    server: Server
    port: Any
    moments: int = 0
    steps: dict[str, Callable[[], None]] = field(default_factory=dict)

    def ends(self, opcode: str) -> Callable[[], None]:
        """Return the step in which the last job of *opcode* ends well."""

        def happen() -> None:
            self.moments += 1
            Server.objects.filter(pk=self.server.pk).exclude(task="").update(task_job_id=100)
            server = Server.objects.select_related("flavor", "backend").get(pk=self.server.pk)
            nics = (nic_of(self.port),) if opcode == Opcode.INSTANCE_CREATE else None
            server_events.apply(server, op_event(server, opcode, instance_nics=nics, at=self.moments))

        return happen


@pytest.fixture
def story(person: Any, make_server: Any, public_network: Any) -> Story:
    server = make_server(operstate=ServerState.BUILD, task="BUILD", task_job_id=100)
    add_volume(server)
    told = Story(server, add_port(server, public_network, "10.0.3.7"))
    told.steps = {
        "password-again": lambda: passwords.remember(server.pk, "a-password"),
        "detail-active": told.ends(Opcode.INSTANCE_CREATE),
        "tag-get": lambda: _pending_tag(server),
        "action-resize-otherdisk": told.ends(Opcode.INSTANCE_SHUTDOWN),
        "action-resize-same": lambda: _stopped(server),
        "action-addfip-unknown": told.ends(Opcode.INSTANCE_STARTUP),
        "detail-deleting": lambda: _deleting(server),
        "delete-again": told.ends(Opcode.INSTANCE_REMOVE),
    }
    return told


def _pending_tag(server: Server) -> None:
    ServerTag.objects.create(server=server, tag="cyclades:user:blue", status=TagStatus.PENDADD)


def _stopped(server: Server) -> None:
    Server.objects.filter(pk=server.pk).update(
        task="", task_job_id=None, serial=None, operstate=ServerState.STOPPED
    )


def _deleting(server: Server) -> None:
    Server.objects.filter(pk=server.pk).update(task="DESTROY")


def test_the_story_goes_as_recorded(
    client: Client,
    person: Any,
    story: Story,
    flavor: Any,
    image: Any,
    internet: Any,
    make_server: Any,
    settings: Any,
) -> None:
    settings.USERDATA_SSH_KEY_LENGTH = 1024
    other = Flavor.objects.create(cpu=2, ram=1024, disk=40, volume_type=flavor.volume_type)
    ip = floating_ips.create(person.credentials, network_id=internet.pk)
    second = make_server()
    for row in (story.server, second):
        released = quota.server_deltas(row, Task.DESTROY)
        charged = {p: {name: -q for name, q in resources.items()} for p, resources in released.items()}
        quota.charge_now(row.userid, charged, name="test")
    ip.nic = add_port(second, internet, state=PortState.ACTIVE)
    ip.save()
    key = person.api.post("os-keypairs", {"keypair": {"name": "k2", "public_key": KEY}})
    assert key.status_code == 201
    names = {
        "token": person.api.token, "server": story.server.pk, "second": second.pk, "flavor": flavor.pk,
        "other_flavor": other.pk, "image": image.id, "port": story.port.pk,
        "network": story.port.network_id, "key": person.api.get("os-keypairs/k2").json()["keypair"]["id"],
    }  # fmt: skip
    problems = {}
    for fact in recorded.load("compute_story"):
        story.steps.get(fact["id"], lambda: None)()
        changed = DIFFERENCES.get(fact["id"], ({}, ""))[0]
        found = recorded.play(client, {**fact, **changed}, names)
        if found:
            problems[fact["id"]] = found
    assert problems == {}


def test_every_difference_and_step_is_of_a_recorded_fact(story: Story) -> None:
    ids = {fact["id"] for fact in recorded.load("compute_story")}
    assert DIFFERENCES.keys() | story.steps.keys() <= ids
