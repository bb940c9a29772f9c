"""Statistics of guests: a made-up /proc, a real QEMU, and a real collectd that writes RRD files."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from gtools.collectd.samples import CLOCK_TICKS, CpuSample, NicSample, cpu_samples, nic_samples
from stats.logic import rrd
from stats.logic.graphs import GRAPHS
from tests.lab.instance import wait_until
from tests.lab.packages import why_missing
from tests.stats.conftest import seal
from tests.stats.rrd_files import needs_rrdtool

ROOT = Path(__file__).resolve().parents[2]
COLLECTD = "/usr/sbin/collectd"
QEMU = "/usr/bin/qemu-system-x86_64"


def make_process(
    tree: Path, *, instance: str, arguments: list[str], links: list[str], stat: dict[int, int]
) -> None:
    """A process with number 77, and Ganeti's note that it is the instance's."""
    process = tree / "proc/77"
    (process / "fd").mkdir(parents=True)
    for number, target in enumerate(links):
        (process / "fd" / str(number)).symlink_to(target)
    (process / "cmdline").write_bytes(b"\0".join(word.encode() for word in arguments) + b"\0")
    fields = ["S"] + [str(stat.get(number, 0)) for number in range(4, 53)]
    (process / "stat").write_text(f"77 (qemu (x) y) {' '.join(fields)}\n")
    (tree / "pid").mkdir()
    (tree / "pid" / instance).write_text("77\n")


def sampled(tree: Path) -> list[CpuSample]:
    return list(cpu_samples(str(tree / "pid"), str(tree / "proc")))


@pytest.mark.unit
@pytest.mark.parametrize(
    "names", [["anon_inode:kvm-vcpu"] * 2, ["anon_inode:kvm-vcpu:0", "anon_inode:kvm-vcpu:1"]]
)
def test_accelerated_guest_is_measured_by_its_guest_time(tmp_path: Path, names: list[str]) -> None:
    links = ["/dev/kvm", "anon_inode:kvm-vm", *names]
    arguments = ["qemu", "-name", "snf-1", "-smp", "8"]
    stat = {14: 9999, 15: 9999, 43: 30 * CLOCK_TICKS}
    make_process(tmp_path, instance="snf-1", arguments=arguments, links=links, stat=stat)
    # 30 s of two processors' time are 15 s at 100 %.
    assert sampled(tmp_path) == [CpuSample("snf-1", 1500)]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("option", "vcpus"), [(["-smp", "2,sockets=1"], 2), (["-smp", "cpus=4"], 4), ([], 1), (["-smp", "0"], 1)]
)
def test_emulated_guest_is_measured_by_the_programs_time(
    tmp_path: Path, option: list[str], vcpus: int
) -> None:
    arguments = ["qemu", "-name", "guest=snf-1,debug-threads=on", *option]
    stat = {14: 30 * CLOCK_TICKS, 15: 10 * CLOCK_TICKS}
    make_process(tmp_path, instance="snf-1", arguments=arguments, links=["/dev/null"], stat=stat)
    assert sampled(tmp_path) == [CpuSample("snf-1", 4000 // vcpus)]


@pytest.mark.unit
def test_a_number_that_another_process_has_by_now_is_no_guest(tmp_path: Path) -> None:
    make_process(tmp_path, instance="snf-1", arguments=["qemu", "-name", "snf-11"], links=[], stat={})
    (tmp_path / "pid" / "snf-2").write_text("no number")
    (tmp_path / "pid" / "snf-3").write_text("78")
    assert sampled(tmp_path) == []
    assert list(cpu_samples(str(tmp_path / "absent"), str(tmp_path / "proc"))) == []


@pytest.mark.unit
def test_what_the_device_sends_the_guest_receives(tmp_path: Path) -> None:
    for index, device in (("0", "tap7"), ("1", "gone"), ("x", "tap7"), ("2", "../../etc")):
        path = tmp_path / "nic/snf-1" / index
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(device)
    counters = tmp_path / "net/tap7/statistics"
    counters.mkdir(parents=True)
    (counters / "rx_bytes").write_text("11\n")
    (counters / "tx_bytes").write_text("22\n")
    found = list(nic_samples(str(tmp_path / "nic"), str(tmp_path / "net")))
    assert found == [NicSample("snf-1", 0, received=22, sent=11)]


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[Path]:
    """A QEMU process in software emulation with nothing to boot, noted as Ganeti does."""
    if not Path(QEMU).exists():
        pytest.skip(why_missing("QEMU is not installed"))
    command = [
        QEMU,
        "-name",
        "snf-9",
        "-machine",
        "pc,accel=tcg",
        "-smp",
        "1",
        "-m",
        "16",
        "-display",
        "none",
    ]
    process = subprocess.Popen([*command, "-nodefaults", "-net", "none"], stdin=subprocess.DEVNULL)
    try:
        for part in ("pid", "nic/snf-9", "net/tap1/statistics"):
            (tmp_path / part).mkdir(parents=True)
        (tmp_path / "pid/snf-9").write_text(f"{process.pid}\n")
        (tmp_path / "nic/snf-9/0").write_text("tap1")
        (tmp_path / "net/tap1/statistics/rx_bytes").write_text("1000")
        (tmp_path / "net/tap1/statistics/tx_bytes").write_text("2000")
        yield tmp_path
    finally:
        process.kill()
        process.wait()


@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_collectd_writes_a_real_guests_statistics_where_the_stats_service_reads_them(
    guest: Path, client: Client, settings
) -> None:
    def has_run() -> bool:
        found = list(cpu_samples(str(guest / "pid")))
        return bool(found) and found[0].instance == "snf-9"

    wait_until(has_run, timeout=60, what="first sample")
    if not Path(COLLECTD).exists():
        pytest.skip(why_missing("collectd is not installed"))
    files = [
        guest / "rrd/snf-9" / name for name in ("cpu/virt_cpu_total.rrd", "interface/if_octets-eth0.rrd")
    ]
    process = subprocess.Popen(
        [COLLECTD, "-f", "-C", str(_collectd_settings(guest))],
        stdout=(guest / "collectd.log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    try:
        wait_until(lambda: all(path.exists() for path in files), timeout=90, what="RRD files")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        assert "rror" not in (guest / "collectd.log").read_text()
    needs_rrdtool()
    info = [subprocess.check_output(["rrdtool", "info", str(path)], text=True) for path in files]
    assert 'ds[value].type = "DERIVE"' in info[0]
    assert all(f'ds[{name}].type = "DERIVE"' in info[1] for name in ("rx", "tx"))
    settings.RRD_PREFIX = str(guest / "rrd")
    assert rrd.present_values(rrd.cpu_file("snf-9"), until=rrd.deadline()).keys() == {"value"}
    rates = rrd.present_values(rrd.interface_files("snf-9")[0], until=rrd.deadline())
    assert rates.keys() == {"rx", "tx"}
    for graph in GRAPHS:
        answer = client.get(f"/stats/v1.0/{graph}/{seal('snf-9')}")
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png"), graph


def _collectd_settings(tree: Path) -> Path:
    """The shipped snippet with this tree's places, and files instead of another host."""
    snippet = (ROOT / "conf/collectd/ganeti-stats.conf").read_text().partition("# The host that runs")[0]
    snippet = snippet.replace("/opt/synnefo/lib/python3.11/site-packages", str(ROOT))
    places = {"#<Module": "<Module", "#</Module": "</Module", "#    PidD": "PidD", "#    NicD": "NicD"}
    for commented, used in places.items():
        snippet = snippet.replace(commented, used)
    snippet = snippet.replace("/var/run/ganeti/kvm-hypervisor", str(tree))
    snippet = snippet.replace("</Module>", f'NetDirectory "{tree}/net"\n</Module>')
    path = tree / "collectd.conf"
    path.write_text(
        f'BaseDir "{tree}"\nPIDFile "{tree}/collectd.pid"\nInterval 1\nFQDNLookup false\nHostname "node"\n'
        f'LoadPlugin rrdtool\n<Plugin rrdtool>\nDataDir "{tree}/rrd"\n</Plugin>\n{snippet}'
    )
    os.chmod(path, 0o600)
    return path
