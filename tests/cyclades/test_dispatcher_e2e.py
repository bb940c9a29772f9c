"""API, Ganeti (simulated), event daemon, broker and dispatcher together, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from cyclades.dispatcher import queue_tools
from cyclades.dispatcher.consumer import Consumer
from cyclades.ganeti import clients, names, repair
from cyclades.models import (
    Backend,
    Flavor,
    IntentState,
    IPAddress,
    JobIntent,
    Network,
    PortState,
    RescueImage,
    Server,
    ServerState,
    VolumeStatus,
    VolumeType,
)
from gtools.eventd import EventDaemon, EventdOptions
from gtools.simulator import Simulator, SimulatorOptions
from synnefo import clock, crypto
from synnefo.amqp import Client

pytestmark = [pytest.mark.functional, pytest.mark.django_db(transaction=True)]

PASSWORD = "rapi-password"
MASTER = "node1.localhost"
WAIT_SECONDS = 120.0


@dataclass
class Cloud:
    """Everything that is needed for a server to come and go."""

    simulator: Simulator
    eventd: EventDaemon
    consumer: Consumer
    broker: Client
    backend: Backend

    def until(self, condition: Callable[[], bool]) -> None:
        """Let events flow until *condition* holds."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            self.eventd.run_once(0.05)
            self.consumer.run_once(0.05)

    def instances(self) -> list[str]:
        with clients.rapi_for(self.backend) as rapi:
            return [item["id"] for item in rapi.GetInstances()]


@pytest.fixture
def cloud(tmp_path, settings) -> Iterator[Cloud]:
    settings.AMQP_HOSTS = [f"embedded://{tmp_path}/broker.sqlite3"]
    settings.RAPI_TLS_VERIFY = False
    clients.forget_all()
    options = SimulatorOptions(
        queue_dir=tmp_path / "queue",
        state_file=tmp_path / "state.json",
        cluster_name="localhost",
        password=PASSWORD,
        time_scale=0.02,
        image_provider=False,
        luxi_socket=tmp_path / "luxi",
        ssconf_dir=tmp_path / "ssconf",
    )
    with Simulator(options) as simulator, queue_tools.connect() as broker, queue_tools.connect() as other:
        eventd = EventDaemon(
            EventdOptions(
                queue_dir=str(tmp_path / "queue"),
                ssconf_dir=str(tmp_path / "ssconf"),
                luxi_socket=str(tmp_path / "luxi"),
                spool_dir=str(tmp_path / "spool"),
                amqp_hosts=tuple(settings.AMQP_HOSTS),
                node_name=MASTER,
            )
        )
        consumer = Consumer(other)
        consumer.subscribe()
        backend = Backend.objects.create(
            clustername="localhost",
            port=simulator.port,
            username="synnefo",
            password_hash=crypto.encrypt(PASSWORD, clients.PASSWORD_PURPOSE),
            updated=clock.now(),
            disk_templates=["plain"],
        )
        yield Cloud(simulator, eventd, consumer, broker, backend)
        eventd.close()
    clients.forget_all()


@pytest.fixture
def create(cloud: Cloud, person, image, public_network: Network, settings) -> Callable[[], Server]:
    settings.CYCLADES_FORCED_SERVER_NETWORKS = [str(public_network.pk)]
    kind = VolumeType.objects.create(name="plain", disk_template="plain")
    flavor = Flavor.objects.create(cpu=1, ram=512, disk=2, volume_type=kind)
    body = {"name": "web", "imageRef": image.id, "flavorRef": flavor.pk}

    def run() -> Server:
        answer = person.api.post("servers", {"server": body})
        assert answer.status_code == 202, answer.content
        return Server.objects.get(pk=answer.json()["server"]["id"])

    return run


def fresh(server: Server) -> Server:
    return Server.objects.get(pk=server.pk)


def test_a_server_lives_from_creation_to_removal(cloud: Cloud, create, person, public_network):
    server = create()
    cloud.until(lambda: not fresh(server).task)
    server = fresh(server)
    port, volume = server.ports.get(), server.volumes.get()
    assert server.operstate == ServerState.STARTED
    assert (port.state, port.index, port.mac[:8]) == (PortState.ACTIVE, 0, "aa:00:00")
    assert volume.status == VolumeStatus.IN_USE
    assert public_network.backend_networks.get().operstate == "ACTIVE"
    for action, state in (
        ({"shutdown": {}}, ServerState.STOPPED),
        ({"start": {}}, ServerState.STARTED),
        ({"reboot": {"type": "HARD"}}, ServerState.STARTED),
    ):
        assert person.api.act(server, **action).status_code == 202
        cloud.until(lambda: not fresh(server).task)
        assert fresh(server).operstate == state
        online = server.flavor.cpu if state == ServerState.STARTED else 0
        assert person.usage("cyclades.cpu") == (online, 0)
    assert person.api.delete(f"servers/{server.pk}").status_code == 204
    cloud.until(lambda: fresh(server).deleted)
    assert cloud.instances() == []
    assert person.usage("cyclades.vm") == (0, 0)
    assert person.usage("cyclades.disk") == (0, 0)
    assert not IPAddress.objects.exists()
    assert set(JobIntent.objects.values_list("state", flat=True)) == {IntentState.DONE}


def test_a_build_that_ganeti_fails_is_shown_as_error(cloud: Cloud, create, person):
    cloud.simulator.fail(kind="job", opcode="OP_INSTANCE_CREATE")
    server = create()
    cloud.until(lambda: not fresh(server).task)
    assert fresh(server).operstate == ServerState.ERROR
    assert person.usage("cyclades.vm") == (1, 0)
    assert person.api.delete(f"servers/{server.pk}").status_code == 204
    cloud.until(lambda: fresh(server).deleted)
    assert person.usage("cyclades.vm") == (0, 0)


def test_an_answer_that_is_lost_makes_no_second_instance(cloud: Cloud, create, person):
    cloud.simulator.fail(kind="drop_answer", method="POST", path="/2/instances")
    server = create()
    intent = JobIntent.objects.get()
    assert (intent.state, intent.job_id) == (IntentState.PENDING, None)
    assert person.usage("cyclades.vm") == (1, 0)
    cloud.until(lambda: not fresh(server).task)
    intent.refresh_from_db()
    assert (fresh(server).operstate, intent.state) == (ServerState.STARTED, IntentState.DONE)
    JobIntent.objects.update(not_before=None)
    repair.run_once()
    assert cloud.instances() == [f"snf-{server.pk}"]


def test_a_job_whose_answer_and_events_are_lost_is_found_by_the_repair_task(cloud: Cloud, create):
    cloud.simulator.fail(kind="drop_answer", method="POST", path="/2/instances")
    server = create()
    JobIntent.objects.update(not_before=clock.now())
    repair.run_once()
    intent = JobIntent.objects.get()
    assert intent.state == IntentState.SUBMITTED
    with clients.rapi_for(cloud.backend) as rapi:
        rapi.WaitForJobCompletion(intent.job_id, timeout=WAIT_SECONDS)
        JobIntent.objects.update(updated=clock.now() - 2 * repair.EVENT_TIME)
        assert repair.run_once().replayed == 1
        assert (
            len([job for job in rapi.GetJobs(bulk=True) if job["summary"][0].startswith("INSTANCE_CREATE")])
            == 1
        )
    server = fresh(server)
    assert (server.operstate, server.task) == (ServerState.STARTED, "")
    assert server.ports.get().state == PortState.ACTIVE
    # What eventd sends late changes nothing any more.
    before = Server.objects.filter(pk=server.pk).values().get()
    for _ in range(5):
        cloud.eventd.run_once(0.1)
        cloud.consumer.run_once(0.1)
    assert Server.objects.filter(pk=server.pk).values().get() == before


def test_a_cluster_that_is_down_gets_its_jobs_when_it_is_back(cloud: Cloud, create, settings):
    settings.RAPI_BREAKER_SECONDS = 0
    cloud.simulator.fail(kind="status", status=503, count=100)
    server = create()
    intent = JobIntent.objects.get()
    assert (intent.state, fresh(server).operstate) == (IntentState.PENDING, ServerState.BUILD)
    cloud.simulator.faults.clear()
    JobIntent.objects.update(not_before=clock.now())
    repair.run_once()
    cloud.until(lambda: not fresh(server).task)
    assert fresh(server).operstate == ServerState.STARTED


def test_what_an_administrator_does_in_ganeti_is_followed(cloud: Cloud, create, person):
    server = create()
    cloud.until(lambda: not fresh(server).task)
    with clients.rapi_for(cloud.backend) as rapi:
        rapi.ShutdownInstance(f"snf-{server.pk}")
        cloud.until(lambda: fresh(server).operstate == ServerState.STOPPED)
        assert person.usage("cyclades.cpu") == (0, 0)
        rapi.DeleteInstance(f"snf-{server.pk}")
        cloud.until(lambda: fresh(server).deleted)
    assert person.usage("cyclades.vm") == (0, 0)


def test_tags_firewall_and_rescue_follow_ganeti(cloud: Cloud, create, person, settings):
    settings.RESCUE_ENABLED = True
    RescueImage.objects.create(name="grml", location="grml.iso", is_default=True)
    server = create()
    tags = f"servers/{server.pk}/tags"

    def active() -> frozenset[str]:
        return frozenset(person.api.get(f"servers/{server.pk}").json()["server"]["tags"])

    # The instance does not exist yet; the tag reaches it when it does.
    old, new = frozenset({"old one"}), frozenset({"blue_+%", "ετικέτα"})
    assert person.api.put(f"{tags}/old one").status_code == 201
    cloud.until(lambda: active() == old and not fresh(server).task)
    seen = [active()]
    assert person.api.put(tags, {"tags": sorted(new)}).status_code == 200

    def is_new() -> bool:
        seen.append(active())
        return seen[-1] == new

    cloud.until(is_new)
    assert set(seen) <= {old, frozenset(), new}

    port = server.ports.get()
    for profile in ("ENABLED", "PROTECTED", "DISABLED"):
        body = {"nic": port.pk, "profile": profile}
        assert person.api.act(server, firewallProfile=body).status_code == 202
        cloud.until(lambda: server.ports.get().firewall_profile == profile)  # noqa: B023
    with clients.rapi_for(cloud.backend) as rapi:
        kept = rapi.GetInstanceTags(f"snf-{server.pk}")
    assert sorted(kept) == sorted(names.encode_tag(f"cyclades:user:{tag}") for tag in new)

    for action, rescued in (("shutdown", False), ("rescue", True), ("unrescue", False)):
        assert person.api.act(server, **{action: {}}).status_code == 202
        cloud.until(lambda: not fresh(server).task)
        assert fresh(server).rescue is rescued
    cloud.until(lambda: not JobIntent.objects.exclude(state=IntentState.DONE).exists())
