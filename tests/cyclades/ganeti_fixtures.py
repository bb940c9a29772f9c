"""A Ganeti cluster made of a few dictionaries, and servers with network and disk to try it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cyclades.ganeti import clients, names
from cyclades.models import (
    Backend,
    IPAddress,
    IPPool,
    JobIntent,
    Network,
    Port,
    PortState,
    Server,
    ServerState,
    Subnet,
    Task,
    Volume,
    VolumeStatus,
)
from synnefo.messages import InstanceDisk, InstanceNic, NetworkStatus, OpStatus

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class FakeCluster:
    """Stands for ``RapiClient``: keeps what it was asked and fails when told to.

    ``failure`` is raised by every call before anything happens; ``lost_answer`` after a job was made.
    """

    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    instances: dict[str, dict[str, Any]] = field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    failure: Exception | None = None
    lost_answer: Exception | None = None
    before_call: Callable[[str], None] | None = None
    info: dict[str, Any] = field(
        default_factory=lambda: {
            "name": "cluster.example",
            "software_version": "3.0.2",
            "enabled_disk_templates": ["plain", "drbd"],
            "ipolicy": {"disk-templates": ["drbd", "plain", "diskless"]},
        }
    )
    nodes: list[dict[str, Any]] = field(default_factory=list)

    def _note(self, method: str, *args: Any, **kwargs: Any) -> None:
        self.calls.append((method, args, kwargs))
        if self.before_call is not None:
            self.before_call(method)
        if self.failure is not None:
            raise self.failure

    def _job(self, method: str, *args: Any, reason: str | None = None, **kwargs: Any) -> int:
        self._note(method, *args, reason=reason, **kwargs)
        job_id = 100 + len(self.jobs)
        opcode = OPCODE_OF[method]
        trail = [["gnt:user", reason, 1]] if reason else []
        op = {"OP_ID": opcode, "reason": trail}
        if method == "ModifyInstance":
            op |= {name: args[1].get(name) for name in ("nics", "disks", "hvparams", "beparams")}
        self.jobs[job_id] = {
            "id": job_id,
            "ops": [op],
            "status": "queued",
            "opstatus": ["queued"],
            "opresult": [None],
            "end_ts": None,
            "received_ts": [1767268800, 0],
        }
        if self.lost_answer is not None:
            raise self.lost_answer
        return job_id

    def end_job(self, job_id: int, moment: datetime, status: str = "success") -> None:
        end = [int(moment.timestamp()), moment.microsecond]
        self.jobs[job_id] |= {"status": status, "opstatus": [status], "end_ts": end}

    def methods(self) -> list[str]:
        return [call[0] for call in self.calls]

    def __enter__(self) -> FakeCluster:
        return self

    def __exit__(self, *_exc: object) -> None:
        return None

    def GetInfo(self) -> dict[str, Any]:
        self._note("GetInfo")
        return self.info

    def GetFeatures(self) -> list[str]:
        return ["instance-create-reqv1"]

    def GetNodes(self, bulk: bool = False) -> list[dict[str, Any]]:
        self._note("GetNodes")
        return self.nodes

    def GetGroups(self, bulk: bool = False) -> list[dict[str, Any]]:
        return [{"name": "default"}]

    def GetJobs(self, bulk: bool = False) -> list[dict[str, Any]]:
        self._note("GetJobs")
        hidden = ("oplog", "opresult")
        return [{key: job[key] for key in job if key not in hidden} for job in self.jobs.values()]

    def GetJobStatus(self, job_id: int) -> dict[str, Any]:
        self._note("GetJobStatus", job_id)
        if job_id not in self.jobs:
            raise clients.RapiRefused(404, "no such job")
        return self.jobs[job_id]

    def GetInstances(self, bulk: bool = False) -> list[dict[str, Any]]:
        self._note("GetInstances")
        return list(self.instances.values())

    def GetInstance(self, name: str) -> dict[str, Any]:
        self._note("GetInstance", name)
        if name not in self.instances:
            raise clients.RapiRefused(404, "no such instance")
        return self.instances[name]

    def GetNetworks(self, bulk: bool = False) -> list[dict[str, Any]]:
        self._note("GetNetworks")
        return list(self.networks.values())

    def GetNetwork(self, name: str) -> dict[str, Any]:
        self._note("GetNetwork", name)
        if name not in self.networks:
            raise clients.RapiRefused(404, "no such network")
        return self.networks[name]

    def __getattr__(self, method: str) -> Callable[..., int]:
        if method not in OPCODE_OF:
            raise AttributeError(method)

        def call(*args: Any, **kwargs: Any) -> int:
            return self._job(method, *args, **kwargs)

        return call


OPCODE_OF = {
    "CreateInstance": "OP_INSTANCE_CREATE",
    "DeleteInstance": "OP_INSTANCE_REMOVE",
    "StartupInstance": "OP_INSTANCE_STARTUP",
    "ShutdownInstance": "OP_INSTANCE_SHUTDOWN",
    "RebootInstance": "OP_INSTANCE_REBOOT",
    "ModifyInstance": "OP_INSTANCE_SET_PARAMS",
    "AddInstanceTags": "OP_TAGS_SET",
    "DeleteInstanceTags": "OP_TAGS_DEL",
    "CreateNetwork": "OP_NETWORK_ADD",
    "ConnectNetwork": "OP_NETWORK_CONNECT",
    "DisconnectNetwork": "OP_NETWORK_DISCONNECT",
    "DeleteNetwork": "OP_NETWORK_REMOVE",
    "AddClusterTags": "OP_TAGS_SET",
}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    """The cluster that every backend's client leads to."""
    fake = FakeCluster()
    clients.forget_all()
    monkeypatch.setattr(clients, "new_client", lambda **_: fake)
    yield fake
    clients.forget_all()


@pytest.fixture
def public_network(db) -> Network:
    network = Network.objects.create(
        name="public",
        flavor="CUSTOM",
        mode="bridged",
        link="br0",
        mac_prefix="aa:00:0",
        public=True,
        state="ACTIVE",
    )
    subnet = Subnet.objects.create(
        network=network, ipversion=4, cidr="10.0.3.0/24", gateway="10.0.3.1", public=True
    )
    IPPool.objects.create(subnet=subnet, size=200, offset=2)
    return network


def add_port(server: Server, network: Network, address: str | None = None, **values: Any) -> Port:
    port = Port.objects.create(
        machine=server, network=network, userid=server.userid, **({"state": PortState.BUILD} | values)
    )
    if address:
        subnet = network.subnets.get(ipversion=4)
        IPAddress.objects.create(
            subnet=subnet, network=network, nic=port, userid=server.userid, address=address, ipversion=4
        )
    return port


def add_volume(server: Server, **values: Any) -> Volume:
    return Volume.objects.create(
        **(
            {
                "userid": server.userid,
                "project": server.project,
                "size": server.flavor.disk,
                "volume_type": server.flavor.volume_type,
                "machine": server,
                "index": 0,
                "status": VolumeStatus.IN_USE,
            }
            | values
        )
    )


@pytest.fixture
def building(make_server, public_network) -> Server:
    """A server whose creation was asked for: one port, one disk, no job id yet."""
    server = make_server(operstate=ServerState.BUILD, task=Task.BUILD, action=Task.BUILD)
    add_port(server, public_network, "10.0.3.7")
    add_volume(server, status=VolumeStatus.CREATING)
    return server


def make_intent(
    server: Server, operation: str = Task.BUILD, action: str = "create", **values: Any
) -> JobIntent:
    return JobIntent.objects.create(
        **(
            {
                "request_id": f"req-{server.pk}-{operation}",
                "server": server,
                "backend": server.backend,
                "operation": operation,
                "payload": {"action": action, "body": {}},
            }
            | values
        )
    )


def nic_of(port: Port, ip: str | None = "10.0.3.7", **values: Any) -> InstanceNic:
    given = {
        "name": names.nic_name(port.pk),
        "network": names.network_name(port.network_id),
        "ip": ip,
        "mac": f"aa:00:00:00:00:{port.pk % 256:02x}",
        "mode": "bridged",
        "link": "br0",
    }
    return InstanceNic(**(given | values))


def disk_of(volume: Volume, gib: int | None = None) -> InstanceDisk:
    return InstanceDisk(name=names.disk_name(volume.pk), size=(gib or volume.size) * 1024, uuid="u")


def op_event(
    server: Server, operation: str, status: str = "success", *, job: int = 100, at: float = 0, **values: Any
) -> OpStatus:
    """An event *at* seconds after ``START``."""
    moment = START + timedelta(seconds=at)
    return OpStatus(
        operation=operation,
        status=status,
        job_id=job,
        event_time=(int(moment.timestamp()), moment.microsecond),
        cluster="cluster.example",
        instance=names.instance_name(server.pk),
        **values,
    )


def network_event(
    network: Network,
    backend: Backend,
    operation: str,
    status: str = "success",
    *,
    at: float = 0,
    **values: Any,
) -> NetworkStatus:
    moment = START + timedelta(seconds=at)
    return NetworkStatus(
        operation=operation,
        status=status,
        job_id=50,
        event_time=(int(moment.timestamp()), moment.microsecond),
        cluster=backend.clustername,
        network=names.network_name(network.pk),
        **values,
    )
