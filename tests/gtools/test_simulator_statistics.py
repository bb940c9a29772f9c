"""Statistics that the simulator makes up: files that the service of graphs reads."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gtools.simulator.cluster import Cluster, Instance, Nic
from gtools.simulator.options import SimulatorOptions
from gtools.simulator.statistics import STEP, Statistics
from stats.logic import rrd
from tests.stats.rrd_files import needs_rrdtool

pytestmark = pytest.mark.unit


def test_running_instances_have_values_that_graphs_show(tmp_path: Path, settings) -> None:
    needs_rrdtool()
    settings.RRD_PREFIX = str(tmp_path / "rrd files")
    cluster = Cluster(SimulatorOptions(queue_dir=tmp_path / "queue", state_file=tmp_path / "state.json"))
    for name, running in (("snf-1", True), ("snf-2", False), ("snf-3; create x", True)):
        instance = Instance(name, "os", "node", "file", "kvm", nics=[Nic("aa:00:00:00:00:01")] * 2)
        if running:
            instance.start()
        cluster.instances[name] = instance
    directory = Path(settings.RRD_PREFIX)
    directory.mkdir()
    end = int(time.time()) // STEP * STEP
    statistics = Statistics(cluster, directory)
    for moment in range(end - 15 * STEP, end + 1, STEP):
        statistics.write(moment)
    assert [path.name for path in directory.iterdir()] == ["snf-1"]
    assert 0 < rrd.present_values(rrd.cpu_file("snf-1"), until=rrd.deadline())["value"] < 100
    assert [path.stem for path in rrd.interface_files("snf-1")] == ["if_octets-eth0", "if_octets-eth1"]
    rates = rrd.present_values(rrd.interface_files("snf-1")[0], until=rrd.deadline())
    assert 0 < rates["tx"] < 1_000_000 and 0 < rates["rx"] < 1_000_000
