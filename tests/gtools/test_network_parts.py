"""Interfaces from Ganeti's environment, their rules, bindings and answers: without a kernel."""

from __future__ import annotations

import io
import ipaddress
import string
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtools.network import (
    actions,
    bindings,
    dhcp4,
    install,
    ipv6_answers,
    node_config,
    packets,
    routing,
    ruleset,
)
from gtools.network.errors import NetworkError
from gtools.network.nic import Nic, eui64, from_hook, from_ifup, link_local, to_ifup
from gtools.network.node_config import NodeConfig
from gtools.network.records import Record, Records, binding_text
from gtools.network.responder import Guest
from gtools.network.system import DryRun

pytestmark = pytest.mark.unit

ENVIRONMENT = {
    "INSTANCE": "snf-142",
    "INTERFACE": "tap0",
    "INTERFACE_NAME": "snf-nic-977",
    "INTERFACE_UUID": "11111111-2222-3333-4444-555555555555",
    "MAC": "AA:00:0b:5c:2e:09",
    "MODE": "bridged",
    "LINK": "br0",
    "BRIDGE": "br0",
    "IP": "10.0.3.7",
    "TAGS": "cyclades:user:x synnefo:network:snf-nic-977:limited synnefo:network:snf-nic-978:protected",
    "NETWORK_NAME": "snf-net-12",
    "NETWORK_TAGS": "nfdhcpd public",
    "NETWORK_SUBNET": "10.0.3.0/24",
    "NETWORK_GATEWAY": "10.0.3.1",
    "NETWORK_SUBNET6": "2001:db8:3::/64",
    "NETWORK_GATEWAY6": "2001:db8:3::1",
    "NETWORK_MAC_PREFIX": "aa:00:0b",
}
CONFIG = NodeConfig(nameservers="10.0.3.53", domain="vm.test", mtu=1400)


def nic(**changes: str) -> Nic:
    return from_ifup(ENVIRONMENT | changes)


def binding(**changes: str) -> bindings.Binding:
    return read_back(nic(**changes))


def read_back(interface: Nic, folder: Path | None = None) -> bindings.Binding:
    values = dict(line.split("=", 1) for line in binding_text(interface).splitlines())
    return bindings._binding(interface.device, values)


# Ganeti's environment


def test_interface_is_read_from_the_script_s_environment() -> None:
    found = nic()
    assert (found.mac, found.profile, found.is_public) == ("aa:00:0b:5c:2e:09", "limited", True)
    assert found.ip6 == ipaddress.IPv6Address("2001:db8:3:0:a800:bff:fe5c:2e09")


def test_interface_is_read_from_a_hook_s_environment() -> None:
    environment = {f"GANETI_INSTANCE_NIC1_{key}": value for key, value in ENVIRONMENT.items()}
    environment |= {
        "GANETI_INSTANCE_NIC1_NAME": ENVIRONMENT["INTERFACE_NAME"],
        "GANETI_INSTANCE_NIC1_UUID": ENVIRONMENT["INTERFACE_UUID"],
        "GANETI_INSTANCE_NAME": "snf-142",
        "GANETI_INSTANCE_TAGS": ENVIRONMENT["TAGS"],
    }
    assert from_hook(environment, 1, "tap0") == nic()
    after = {key.replace("GANETI_", "GANETI_POST_"): value for key, value in environment.items()}
    after["GANETI_POST_INSTANCE_NIC1_IP"] = "10.0.3.8"
    # What was before the operation is told too.
    assert from_hook(environment | after, 1, "tap0") == nic(IP="10.0.3.8")


@pytest.mark.parametrize("changes", [{}, {"MODE": "routed", "IP": "", "VLAN": ".5", "TAGS": ""}])
def test_interface_is_the_same_after_it_was_noted(changes: dict[str, str]) -> None:
    assert from_ifup(to_ifup(nic(**changes))) == nic(**changes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INTERFACE", "tap0; reboot"),
        ("INTERFACE", "../tap0"),
        ("INTERFACE", "a" * 16),
        ("INSTANCE", "snf 1"),
        ("MAC", "aa:00:0b:5c:2e"),
        ("MAC", "aa:00:0b:5c:2e:09\nadd table x"),
        ("MODE", "openvswitch"),
        ("LINK", "br0 } drop"),
        ("IP", "10.0.3.7 accept"),
        ("IP", "2001:db8::1"),
        ("VLAN", ":5:6"),
        ("VLAN", "4095"),
        ("NETWORK_SUBNET", "10.0.3.0/33"),
        ("NETWORK_GATEWAY", "x"),
        ("NETWORK_SUBNET6", "10.0.3.0/24"),
        ("NETWORK_GATEWAY6", "fe80::1%tap0; x"),
        ("NETWORK_MAC_PREFIX", "aa:00:0b:00 drop"),
        ("TAGS", "synnefo:network:snf-nic-977:open"),
    ],
)
def test_wrong_values_stop_the_interface(name: str, value: str) -> None:
    with pytest.raises(NetworkError):
        nic(**{name: value})


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(sorted(ENVIRONMENT)), st.text(string.printable, max_size=40)))
def test_whatever_ganeti_says_no_rule_has_more_than_one_command(changes: dict[str, str]) -> None:
    try:
        interface = from_ifup(ENVIRONMENT | changes)
    except NetworkError:
        return
    for line in ruleset.install(interface, CONFIG):
        assert line.startswith("add ") or line.startswith("flush ")
        assert not set(line) & set("\n;#\"'\\`$") - set('"')


# Rules


def rules(direction: str, interface: Nic, config: NodeConfig = CONFIG) -> list[str]:
    start = f"add rule {'bridge' if interface.mode == 'bridged' else 'inet'} snf_network {direction}-"
    lines = ruleset.install(interface, config)
    return [line.split(" ", 5)[5] for line in lines if line.startswith(start)]


def test_private_networks_are_their_users_own() -> None:
    private = nic(NETWORK_TAGS="private", TAGS="")
    assert rules("from", private) == ["ether saddr != aa:00:0b:5c:2e:09 drop"]
    assert rules("to", private) == []


def test_clusters_share_a_mac_filtered_network() -> None:
    filtered = nic(NETWORK_TAGS="private private-filtered", TAGS="", NETWORK_MAC_PREFIX="aa:10:1b")
    assert rules("to", filtered) == ["ether saddr & ff:ff:f0:00:00:00 != aa:10:10:00:00:00 drop"]


def test_default_profile_is_for_public_networks() -> None:
    config = NodeConfig(default_profile="protected")
    assert rules("to", nic(TAGS=""), config)[-1] == "drop"
    assert rules("to", nic(TAGS="", NETWORK_TAGS="private"), config) == []
    assert rules("to", nic(TAGS="synnefo:network:snf-nic-977:unprotected"), config) == []


def test_ipv6_sources_may_be_the_whole_subnet() -> None:
    assert "2001:db8:3::/64" not in " ".join(rules("from", nic()))
    assert "2001:db8:3::/64" in " ".join(rules("from", nic(), NodeConfig(ipv6_sources="subnet")))


def test_network_without_addresses_lets_no_ipv4_out() -> None:
    assert "meta protocol ip drop" in rules("from", nic(IP="", NETWORK_SUBNET="", NETWORK_GATEWAY=""))


def test_dry_run_prints_and_changes_nothing(tmp_path: Path) -> None:
    output = io.StringIO()
    actions.bring_up(ENVIRONMENT, DryRun(output), CONFIG)
    assert "ip link set tap0 master br0" in output.getvalue()
    assert "add rule bridge snf_network from-tap0 ip saddr != 10.0.3.7 drop" in output.getvalue()
    assert list(tmp_path.iterdir()) == []


def test_ganeti_s_own_channel_to_a_guest_is_left_alone() -> None:
    output = io.StringIO()
    actions.bring_up({"INTERFACE": "gnt.com.0", "MODE": "routed"}, DryRun(output), CONFIG)
    assert output.getvalue() == ""


def test_mac_filtered_network_without_prefix_is_refused() -> None:
    environment = ENVIRONMENT | {"NETWORK_TAGS": "private-filtered", "NETWORK_MAC_PREFIX": ""}
    with pytest.raises(NetworkError, match="no MAC prefix"):
        actions.bring_up(environment, DryRun(io.StringIO()), CONFIG)


def test_vlan_needs_a_bridge_that_filters_vlans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "SYS_NET", str(tmp_path))
    filtering = tmp_path / "br0/bridge/vlan_filtering"
    filtering.parent.mkdir(parents=True)
    filtering.write_text("0\n")
    output = io.StringIO()
    with pytest.raises(NetworkError, match="does not filter VLANs"):
        actions.bring_up(ENVIRONMENT | {"VLAN": ".7"}, DryRun(output), CONFIG)
    filtering.write_text("1\n")
    actions.bring_up(ENVIRONMENT | {"VLAN": ".7"}, DryRun(output), CONFIG)
    assert "bridge vlan add dev tap0 vid 7 pvid untagged" in output.getvalue()


# Routing tables


def test_routing_table_of_a_link(tmp_path: Path) -> None:
    names = tmp_path / "rt_tables"
    names.write_text("# comment\n255\tlocal\n77 snf-link-5 # ours\n")
    config = NodeConfig(routing_table_base=5000)
    files = [str(names)]
    assert routing.table_of("snf-link-5", config, files) == "77"
    assert routing.table_of("snf-link-12", config, files) == "5012"
    assert routing.table_of("1234", config, files) == "1234"
    assert routing.table_of("", config, files) == "main"
    with pytest.raises(NetworkError, match="no routing table is named other"):
        routing.table_of("other", config, files)


def test_routed_guest_is_answered_for_on_the_uplink_until_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "default_device", lambda table, family: "eth0" if table == "10012" else "")
    output = io.StringIO()
    interface = nic(MODE="routed", LINK="snf-link-12")
    record = routing.set_up(DryRun(output), interface, CONFIG)
    assert f"ip -6 neigh replace proxy {interface.ip6} dev eth0" in output.getvalue()
    assert "ip -4 route replace 10.0.3.7/32 dev tap0 table 10012 proto static" in output.getvalue()
    output.truncate(0)
    routing.tear_down(DryRun(output), record)
    assert f"ip -6 neigh del proxy {interface.ip6} dev eth0" in output.getvalue()
    assert "ip -4 rule del to 10.0.3.7/32 lookup 10012" in output.getvalue()


# Records and bindings


def test_records_survive_and_damaged_ones_are_passed_over(tmp_path: Path) -> None:
    records = Records(NodeConfig(binding_dir=str(tmp_path / "b")), str(tmp_path), str(tmp_path / "net"))
    record = Record("tap0", "snf-1", "u", "routed", "l", ("10.0.0.1 10012",), ("2001:db8::1 eth0",))
    with records.lock():
        records.save(record)
    (tmp_path / "nics/tap1.json").write_text("{")
    assert records.all() == [record]
    records.forget("tap0")
    records.forget("tap0")
    assert records.all() == []


def test_binding_file_has_the_lines_of_the_contract(tmp_path: Path) -> None:
    assert binding_text(nic()).splitlines() == [
        "INDEV=br0",
        "IP=10.0.3.7",
        "MAC=aa:00:0b:5c:2e:09",
        "HOSTNAME=snf-142",
        "TAGS=nfdhcpd public",
        "GATEWAY=10.0.3.1",
        "SUBNET=10.0.3.0/24",
        "GATEWAY6=2001:db8:3::1",
        "SUBNET6=2001:db8:3::/64",
        "EUI64=2001:db8:3:0:a800:bff:fe5c:2e09",
    ]
    assert binding_text(nic(MODE="routed")).startswith("INDEV=tap0\n")


def test_binding_is_dropped_when_the_network_s_dhcp_ends(tmp_path: Path) -> None:
    records = Records(NodeConfig(binding_dir=str(tmp_path / "b")), str(tmp_path), str(tmp_path / "net"))
    records.bind(nic())
    assert bindings.read(tmp_path / "b/tap0").ip == ipaddress.IPv4Address("10.0.3.7")
    records.bind(nic(NETWORK_TAGS="public"))
    assert not (tmp_path / "b/tap0").exists()


@pytest.mark.parametrize(
    "text", ["", "MAC=x", "MAC=aa:00:0b:5c:2e:09\nIP=300.0.0.1", "MAC=aa:00:0b:5c:2e:09\nSUBNET=x"]
)
def test_damaged_binding_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "tap0").write_text(text)
    with pytest.raises(NetworkError):
        bindings.read(tmp_path / "tap0")


# DHCP


def question(
    kind: int, *options: tuple[int, bytes], mac: str = "aa:00:0b:5c:2e:09", client: bytes = bytes(4)
) -> bytes:
    body = struct.pack("!BBBBIHH", 1, 1, 6, 0, 77, 0, 0) + client + bytes(12)
    body += packets.mac_bytes(mac).ljust(208, b"\0") + dhcp4.MAGIC + bytes([53, 1, kind])
    return body + b"".join(bytes([code, len(value)]) + value for code, value in options) + b"\xff"


def answered(message: bytes, to: bindings.Binding | None = None) -> dict[int, bytes] | None:
    frame = dhcp4.answer(message, to or binding(), CONFIG, "fe:00:00:00:00:01")
    if frame is None:
        return None
    assert packets.checksum(frame[14:34]) == 0
    udp = frame[26:34] + struct.pack("!BBH", 0, 17, len(frame) - 34) + frame[34:]
    assert packets.checksum(udp) == 0
    return dhcp4.read_options(frame[42 + 240 :]) | {0: frame[42 + 16 : 42 + 20]}


def test_guest_without_ipv4_gets_no_answer() -> None:
    assert answered(question(1), binding(IP="", NETWORK_SUBNET="", NETWORK_GATEWAY="")) is None


@pytest.mark.parametrize(
    "message",
    [
        b"",
        question(1)[:239],
        question(1, mac="aa:00:0b:5c:2e:10"),
        question(4, (50, bytes([10, 0, 3, 7]))),
        question(7),
        question(3, (50, bytes([10, 0, 3, 7])), (54, bytes([10, 0, 3, 99]))),
        question(1)[:24] + b"\x0a\x00\x00\x01" + question(1)[28:],
        b"\x02" + question(1)[1:],
    ],
    ids=["empty", "short", "other", "decline", "release", "other server", "relayed", "answer"],
)
def test_messages_that_get_no_answer(message: bytes) -> None:
    assert answered(message) is None


def test_renewal_is_granted_and_a_wrong_address_refused() -> None:
    renewed = answered(question(3, client=bytes([10, 0, 3, 7])))
    assert renewed is not None and renewed[53] == b"\x05" and renewed[51] == struct.pack("!I", 86400)
    refused = answered(question(3, client=bytes([10, 0, 3, 8])))
    assert refused is not None and refused[53] == b"\x06" and 51 not in refused and refused[0] == bytes(4)


def test_inform_gets_options_without_a_lease() -> None:
    told = answered(question(8, client=bytes([10, 0, 3, 7])))
    assert told is not None and told[6] == bytes([10, 0, 3, 53]) and 51 not in told and told[0] == bytes(4)


def test_gateway_outside_the_subnet_is_reached_by_a_route() -> None:
    told = answered(question(1), binding(NETWORK_SUBNET="", NETWORK_GATEWAY="192.0.2.1"))
    assert told is not None and told[1] == b"\xff" * 4
    assert told[121] == b"\x20\xc0\x00\x02\x01" + bytes(4) + b"\x00\xc0\x00\x02\x01"


@given(st.binary(max_size=400))
def test_arbitrary_messages_do_no_harm(data: bytes) -> None:
    answered(question(1)[:240] + data)
    ipv6_answers.information(
        b"\x0b" + data,
        binding(),
        CONFIG,
        "fe:00:00:00:00:01",
        link_local("fe:00:00:00:00:01"),
        link_local("aa:00:0b:5c:2e:09"),
    )
    packets.parse(data)
    packets.parse(bytes(12) + b"\x08\x00\x45" + data)
    packets.parse(bytes(12) + b"\x86\xdd\x60" + data)


# IPv6


def test_routed_guests_reach_even_neighbours_through_the_node() -> None:
    source = link_local("fe:00:00:00:00:01")
    frames = [
        ipv6_answers.advertisement(to, CONFIG, "fe:00:00:00:00:01", source, is_router=to.is_routed)
        for to in (binding(MODE="routed"), binding())
    ]
    assert frames[0] is not None and frames[1] is not None
    # Router lifetime; then the flags of the prefix behind the source's address, if that is told.
    assert (frames[0][60:62], frames[1][60:62]) == (struct.pack("!H", 900), b"\0\0")
    assert b"\x03\x04\x40\x40" in frames[0] and b"\x03\x04\x40\xc0" in frames[1]
    assert all(b"\x02vm\x04test\0" in frame for frame in frames if frame)


def test_interface_identifier_flips_the_local_bit() -> None:
    assert eui64("aa:00:0b:5c:2e:09").hex() == "a8000bfffe5c2e09"
    assert link_local("00:11:22:33:44:55") == ipaddress.IPv6Address("fe80::211:22ff:fe33:4455")


def test_a_guest_that_asks_too_often_waits() -> None:
    guest = Guest(binding(), 1, None)  # type: ignore[arg-type]
    assert [guest.may_answer(0.0) for _ in range(22)] == [True] * 20 + [False] * 2
    assert guest.may_answer(1.0)


# Settings and installation


@pytest.mark.parametrize(
    "line",
    [
        "DEFAULT_PROFIL=protected",
        "DEFAULT_PROFILE=open",
        "MAC_MASK=ff:ff",
        "IPV6_SOURCES=any",
        "LEASE_SECONDS=1",
        "LEASE_SECONDS=-60",
        "NAMESERVERS=dns.example.org",
        "DOMAIN='a b'",
        "MTU=100",
        "MTU",
        "X='",
    ],
)
def test_wrong_settings_name_their_file(tmp_path: Path, line: str) -> None:
    path = tmp_path / "snf-network"
    path.write_text(f"# comment\n{line}\n")
    with pytest.raises(NetworkError, match="snf-network"):
        node_config.load(str(path))


def test_sample_settings_are_the_defaults(tmp_path: Path) -> None:
    sample = (Path(__file__).resolve().parents[2] / "conf/ganeti/snf-network").read_text()
    path = tmp_path / "snf-network"
    path.write_text(
        "".join(line[1:] + "\n" for line in sample.splitlines() if "=" in line and line[1:2].isupper())
    )
    assert node_config.load(str(path)) == NodeConfig()
    assert all(name.upper() in sample for name in NodeConfig.__dataclass_fields__)


def test_scripts_are_installed_under_names_that_ganeti_runs(tmp_path: Path) -> None:
    paths = install.install(str(tmp_path), "/opt/synnefo/bin/python")
    names = {str(path.relative_to(tmp_path)) for path in paths}
    assert "kvm-vif-bridge" in names and "hooks/instance-modify-post.d/snf-network" in names
    for path in paths:
        assert path.stat().st_mode & 0o111 == 0o111
        assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
    with pytest.raises(NetworkError, match="absolute"):
        install.install(str(tmp_path), "python3")
