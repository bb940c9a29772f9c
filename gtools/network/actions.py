"""What happens to a guest's interface: it comes up, its filters change, it is gone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from gtools.network import announce, routing, ruleset
from gtools.network import nic as nics
from gtools.network.errors import NetworkError
from gtools.network.nic import BRIDGED, Nic
from gtools.network.node_config import NodeConfig
from gtools.network.records import SYS_NET, Record, Records
from gtools.network.system import DryRun, System

logger = logging.getLogger("snf-network")

#: Ganeti's own channel to a guest is none of our business.
COMMUNICATION_PREFIX = "gnt.com."


def bring_up(environment: Mapping[str, str], system: System, config: NodeConfig) -> None:
    """Wire, filter and announce the interface that Ganeti made; raise `NetworkError`.

    environment: what Ganeti's ``kvm-ifup`` passes on to ``kvm-vif-bridge`` (ganeti-backend contract 8).
    """
    if environment.get("INTERFACE", "").startswith(COMMUNICATION_PREFIX):
        return
    nic = nics.from_ifup(environment)
    if nic.mode == BRIDGED and nic.is_mac_filtered and not nic.mac_prefix:
        raise NetworkError(f"{nic.device}: its network is MAC-filtered but has no MAC prefix")
    records = Records(config)
    if isinstance(system, DryRun):
        _bring_up(nic, system, config)
        return
    with records.lock():
        _clean(_stale(records, nic), system, records)
        # Noted first: what a failure half-way leaves is cleaned like a vanished device.
        records.save(_first_record(nic))
        record = _bring_up(nic, system, config)
        records.save(record)
        records.bind(nic)
    if nic.mode != BRIDGED:
        announce.announce(nic, record)


def _stale(records: Records, nic: Nic) -> list[Record]:
    """Records of this device's former life, of this guest's interface elsewhere, and of vanished devices."""
    return [
        record
        for record in records.all()
        if record.device == nic.device
        or (record.uuid and record.uuid == nic.uuid)
        or not records.device_exists(record.device)
    ]


def _bring_up(nic: Nic, system: System, config: NodeConfig) -> Record:
    # Filters first, in one transaction: the guest never has an unfiltered moment.
    system.nft(ruleset.script([*ruleset.base(), *ruleset.remove(nic.device), *ruleset.install(nic, config)]))
    if nic.mode != BRIDGED:
        return routing.set_up(system, nic, config)
    _join_bridge(nic, system)
    return _first_record(nic)


def _first_record(nic: Nic) -> Record:
    return Record(nic.device, nic.instance, nic.uuid, nic.mode, nic.link, environment=nics.to_ifup(nic))


def _join_bridge(nic: Nic, system: System) -> None:
    link = Path(SYS_NET) / nic.link
    if not isinstance(system, DryRun) and not (link / "bridge").exists():
        raise NetworkError(f"LINK: there is no bridge {nic.link} on this node")
    # A bridge takes the lowest address of its ports: the guest's device must not be that.
    address = _text(Path(SYS_NET) / nic.device / "address")
    if address:
        system.run("ip", "link", "set", nic.device, "address", f"fe{address[2:]}", check=False)
    # The node itself has nothing to say to its guests on this wire.
    system.write(f"/proc/sys/net/ipv6/conf/{nic.device}/disable_ipv6", "1")
    mtu = _text(link / "mtu")
    if mtu:
        system.run("ip", "link", "set", nic.device, "mtu", mtu)
    system.run("ip", "link", "set", nic.device, "master", nic.link)
    if nic.vlan:
        if _text(link / "bridge" / "vlan_filtering") != "1":
            raise NetworkError(f"VLAN: bridge {nic.link} does not filter VLANs")
        system.run("bridge", "vlan", "del", "dev", nic.device, "vid", "1", check=False)
        system.run("bridge", "vlan", "add", "dev", nic.device, "vid", str(nic.vlan), "pvid", "untagged")
    system.run("ip", "link", "set", nic.device, "up")


def refresh(environment: Mapping[str, str], system: System, config: NodeConfig) -> None:
    """Give an instance's interfaces the rules that its tags and addresses now ask for, or clean what is gone.

    environment: of a Ganeti hook. On nodes where the instance does not run nothing happens, so the same hook
    serves modify, stop, migrate, failover and remove.

    Raises NetworkError when an interface could not be done, after the others were.
    """
    records = Records(config)
    indexes = nics.hook_uuids(environment)
    instance = nics.hook_instance(environment)
    failures = []
    with records.lock():
        own = [record for record in records.all() if record.instance == instance]
        gone = [record for record in own if not records.device_exists(record.device)]
        _clean(gone, system, records)
        for record in own:
            if record in gone or record.uuid not in indexes:
                continue
            try:
                nic = nics.from_hook(environment, indexes[record.uuid], record.device)
                _refresh(nic, record, system, config, records)
            except NetworkError as error:
                failures.append(f"{record.device}: {error}")
    if failures:
        raise NetworkError("; ".join(failures))


def _refresh(nic: Nic, record: Record, system: System, config: NodeConfig, records: Records) -> None:
    if (nic.mode, nic.link) != (record.mode, record.link):
        # Ganeti unplugs and plugs such an interface, or it changes with the next start: either calls ifup.
        return
    system.nft(ruleset.script([*ruleset.base(), *ruleset.install(nic, config)]))
    if nic.mode != BRIDGED:
        routing.tear_down(system, record)
        records.save(routing.set_up(system, nic, config))
    else:
        records.save(_first_record(nic))
    records.bind(nic)


def restore(system: System, config: NodeConfig) -> int:
    """Put back every guest's rules, after something has emptied the node's rule set; return of how many.

    All in one transaction, so it is also the way to bring new settings to running guests.
    """
    records = Records(config)
    failures: list[str] = []
    with records.lock():
        present = [record for record in records.all() if records.device_exists(record.device)]
        lines = ruleset.base()
        for record in present:
            # What can't be read was damaged; the others' rules must not wait for it.
            try:
                lines += ruleset.install(nics.from_ifup(record.environment), config)
            except NetworkError as error:
                failures.append(f"{record.device}: {error}")
        system.nft(ruleset.script(lines))
    if failures:
        raise NetworkError("; ".join(failures))
    return len(present)


def clean(instance: str, system: System, config: NodeConfig) -> int:
    """Remove what vanished devices left on this node; return of how many.

    instance: only its devices, all instances' if empty.
    """
    records = Records(config)
    with records.lock():
        gone = [
            record
            for record in records.all()
            if instance in ("", record.instance) and not records.device_exists(record.device)
        ]
        _clean(gone, system, records)
    return len(gone)


def _clean(gone: list[Record], system: System, records: Records) -> None:
    if not gone:
        return
    lines = ruleset.base()
    for record in gone:
        lines += ruleset.remove(record.device)
    system.nft(ruleset.script(lines))
    for record in gone:
        if record.mode != BRIDGED:
            routing.tear_down(system, record)
        records.forget(record.device)
        logger.info("%s of %s: cleaned", record.device, record.instance)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
