"""Consoles of simulated instances."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from gtools.simulator import Simulator, SimulatorOptions
from gtools.simulator.cluster import Instance
from gtools.simulator.screen import HEIGHT, WIDTH, PixelFormat
from tests.lab.instance import wait_until
from tests.lab.rfb_client import RETURN, RfbClient

pytestmark = pytest.mark.functional


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    options = SimulatorOptions(
        queue_dir=tmp_path / "queue", state_file=tmp_path / "state.json", console_address="127.0.0.1"
    )
    with Simulator(options) as simulator:
        yield simulator


@pytest.fixture
def instance(simulator: Simulator) -> Instance:
    cluster = simulator.cluster
    node = cluster.options.all_nodes[0].name
    with cluster.change():
        port = cluster.console_port()
        instance = Instance("snf-1", "none", node, "diskless", "kvm", network_port=port)
        cluster.instances[instance.name] = instance
        instance.start()
    wait_until(lambda: listens(instance), timeout=30, what="the console")
    return instance


def listens(instance: Instance) -> bool:
    try:
        socket.create_connection(("127.0.0.1", instance.network_port), timeout=10).close()
    except OSError:
        return False
    return True


def look(instance: Instance) -> RfbClient:
    viewer = RfbClient.over(socket.create_connection(("127.0.0.1", instance.network_port), timeout=30))
    assert viewer.read(12) == b"RFB 003.008\n"
    viewer.send(b"RFB 003.008\n")
    assert viewer.read(2) == bytes([1, 1])
    viewer.send(bytes([1]))
    assert viewer.read(4) == bytes(4)
    return viewer.share()


def test_a_running_instance_shows_what_is_typed(instance: Instance) -> None:
    viewer = look(instance)
    assert (viewer.name, viewer.size) == ("snf-1", (WIDTH, HEIGHT))
    before = viewer.picture()
    viewer.type("hello")
    after = viewer.picture()
    assert before != after
    viewer.press(RETURN)
    assert viewer.picture() == before


def test_changes_of_the_instance_are_shown(simulator: Simulator, instance: Instance) -> None:
    viewer = look(instance)
    before = viewer.picture()
    with simulator.cluster.change():
        instance.beparams["maxmem"] = 4096
        instance.start()
    assert viewer.picture() != before


def test_a_stopped_instance_has_no_console(simulator: Simulator, instance: Instance) -> None:
    viewer = look(instance)
    with simulator.cluster.change():
        instance.stop()
    wait_until(lambda: not listens(instance), timeout=30, what="the end of the console")
    with pytest.raises(Exception, match="closed"):
        viewer.picture()


def test_a_port_in_use_is_passed_over(simulator: Simulator) -> None:
    with socket.create_server(("127.0.0.1", simulator.cluster.console_port())) as taken:
        assert simulator.cluster.console_port() > taken.getsockname()[1]


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("big", [0, 1])
def test_pixels_come_as_asked_for(bits: int, big: int) -> None:
    maxima, shifts = ((7, 7, 3), (5, 2, 0)) if bits == 8 else ((31, 63, 31), (11, 5, 0))
    data = struct.pack("!BBBBHHHBBB3x", bits, bits, big, 1, *maxima, *shifts)
    shape = PixelFormat.decode(data)
    assert shape.encode()[4:] == data[4:]
    white = shape.pixel((255, 255, 255))
    assert len(white) == bits // 8
    assert int.from_bytes(white, "big" if big else "little") == (0xFF if bits == 8 else 0xFFFF)


@pytest.mark.parametrize("data", [bytes(16), b"\xff" * 16])
def test_a_pixel_format_that_makes_no_sense_is_not_followed(data: bytes) -> None:
    assert PixelFormat.decode(data) == PixelFormat()
