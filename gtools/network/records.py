"""What this node has set up for each guest's device, and what the responder reads of it.

Ganeti has no "interface went down" script, and a guest may stop itself: whatever a device had must be found
again from here. Records live in /run, so a reboot forgets them together with the devices.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gtools.network.nic import BRIDGED, Nic
from gtools.network.node_config import NodeConfig

SYS_NET = "/sys/class/net"
STATE_DIRECTORY = "/run/snf-network"


@dataclass(frozen=True)
class Record:
    """One device that was set up.

    routes: addresses routed to it, with their table (``address table``).
    proxies: IPv6 addresses answered for on an uplink (``address uplink``).
    environment: what the interface was last set up with, as `nic.from_ifup` reads it.
    """

    device: str
    instance: str
    uuid: str
    mode: str
    link: str
    routes: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Records:
    """The records of this node."""

    def __init__(self, config: NodeConfig, state: str = STATE_DIRECTORY, sys_net: str = SYS_NET) -> None:
        self._directory = Path(state) / "nics"
        self._bindings = Path(config.binding_dir)
        self._lock_file = Path(state) / "lock"
        self._sys_net = Path(sys_net)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other scripts out: Ganeti starts guests side by side."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o755)
        with self._lock_file.open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def all(self) -> list[Record]:
        """Return every record; what can't be read is as good as absent."""
        found = []
        for path in sorted(self._directory.glob("*.json")):
            with contextlib.suppress(OSError, ValueError, TypeError):
                content = json.loads(path.read_text())
                content |= {key: tuple(content.get(key, ())) for key in ("routes", "proxies")}
                found.append(Record(**content))
        return found

    def device_exists(self, device: str) -> bool:
        """Return whether the guest's device is still there."""
        return (self._sys_net / device).exists()

    def save(self, record: Record) -> None:
        """Store a record."""
        _replace(self._directory / f"{record.device}.json", json.dumps(asdict(record)))

    def forget(self, device: str) -> None:
        """Drop a device's record and binding."""
        for path in (self._bindings / device, self._directory / f"{device}.json"):
            path.unlink(missing_ok=True)

    def bind(self, nic: Nic) -> None:
        """Tell the responder what a guest shall be told, or that it shall be told nothing."""
        path = self._bindings / nic.device
        if not nic.wants_binding:
            path.unlink(missing_ok=True)
            return
        self._bindings.mkdir(parents=True, exist_ok=True, mode=0o755)
        _replace(path, binding_text(nic))


def binding_text(nic: Nic) -> str:
    """Return a binding file's content (ganeti-backend contract 8)."""
    values = {
        "INDEV": nic.link if nic.mode == BRIDGED else nic.device,
        "IP": nic.ip,
        "MAC": nic.mac,
        "HOSTNAME": nic.instance,
        "TAGS": " ".join(sorted(nic.tags)),
        "GATEWAY": nic.gateway,
        "SUBNET": nic.subnet,
        "GATEWAY6": nic.gateway6,
        "SUBNET6": nic.subnet6,
        "EUI64": nic.ip6 if nic.subnet6 is not None else None,
    }
    return "".join(f"{name}={'' if value is None else value}\n" for name, value in values.items())


def _replace(path: Path, text: str) -> None:
    # A name that no device can have, because the responder looks at the whole directory.
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    temporary.replace(path)
