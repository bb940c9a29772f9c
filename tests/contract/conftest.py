"""The two clusters that every contract test runs against."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cyclades.ganeti.rapi import RapiClient
from gtools.simulator import NodeOptions, Simulator, SimulatorOptions
from tests.contract import query_socket
from tests.contract.cluster import ContractCluster
from tests.lab.ganeti import GanetiCluster


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContractCluster]:
    folder = tmp_path_factory.mktemp("simulator")
    socket = folder / "query.sock"
    options = SimulatorOptions(
        queue_dir=folder / "queue",
        state_file=folder / "state.json",
        cluster_name="simulated.gnt.test",
        password="s3cret",
        time_scale=0.02,
        hypervisors=("fake",),
        disk_templates=("file", "diskless", "sharedfile", "ext"),
        bridges=("br0",),
        luxi_socket=socket,
        nodes=(NodeOptions(name="node1.gnt.test", address="10.199.199.2"),),
    )
    with Simulator(options) as simulator:

        def query(method: str, arguments: list[Any]) -> Any:
            return json.loads(query_socket.ask(str(socket), method, arguments))

        def archive(job_id: int) -> None:
            assert simulator.queue.archive(job_id)

        def long_job() -> int:
            # Of a network of its own, so that no other job waits for it.
            client = RapiClient("127.0.0.1", simulator.port, options.user, options.password)
            client.WaitForJobCompletion(client.CreateNetwork("slow", "10.98.0.0/24", conflicts_check=False))
            simulator.fail(kind="slow_job", opcode="OP_NETWORK_REMOVE", seconds=60)
            return client.DeleteNetwork("slow")

        yield ContractCluster(
            kind="simulator",
            host="127.0.0.1",
            port=simulator.port,
            user=options.user,
            password=options.password,
            name=options.cluster_name,
            queue_dir=options.queue_dir,
            archive=archive,
            query=query,
            long_job=long_job,
        )


@pytest.fixture(scope="session")
def real(ganeti: GanetiCluster) -> ContractCluster:
    script = Path(query_socket.__file__).read_text()

    def query(method: str, arguments: list[Any]) -> Any:
        path = "/run/ganeti/socket/ganeti-query"
        command = ["/usr/bin/python3", "-", path, method, json.dumps(arguments)]
        return json.loads(ganeti.run(command, input=script).stdout)

    def archive(job_id: int) -> None:
        ganeti.run(["gnt-job", "archive", str(job_id)])

    def long_job() -> int:
        command = ["gnt-debug", "delay", "--submit", "--no-locks", "60"]
        said = ganeti.run(command)
        return int(re.search(r"JobID: (\d+)", said.stdout + said.stderr)[1])

    return ContractCluster(
        kind="real",
        host=ganeti.host,
        port=ganeti.port,
        user=ganeti.user,
        password=ganeti.password,
        name=ganeti.cluster_name,
        queue_dir=ganeti.queue_dir,
        archive=archive,
        query=query,
        long_job=long_job,
    )


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("simulated", marks=pytest.mark.functional),
        pytest.param("real", marks=pytest.mark.e2e),
    ],
)
def cluster(request: pytest.FixtureRequest) -> ContractCluster:
    """A cluster; each test runs once per kind."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def network(cluster: ContractCluster) -> str:
    """A connected network that tests may put NICs into."""
    return cluster.network(mac_prefix="aa:00:0b", tags=["private", "nfdhcpd"])


@pytest.fixture(scope="session")
def unconnected(cluster: ContractCluster) -> str:
    """A network that stays as it is, connected to nothing."""
    return cluster.network(connect=False)


@pytest.fixture(scope="session")
def running(cluster: ContractCluster) -> str:
    """A running instance that tests leave as it is."""
    return cluster.instance(tags=["cyclades:user:web"])
