"""Networks that reach over several clusters, as switches join them in a real deployment."""

from __future__ import annotations

import secrets
import subprocess

from tests.lab.instance import LabError
from tests.lab.namespaces import Namespaces


def add_bridge(node: Namespaces, bridge: str) -> None:
    """Make a bridge without an address on a node."""
    # Without an address of its own a bridge takes that of a port, and so changes it with every guest.
    mac = ":".join(["02", *(f"{byte:02x}" for byte in secrets.token_bytes(4)), "02"])
    node.run(["ip", "link", "add", bridge, "address", mac, "type", "bridge", "forward_delay", "0"])
    node.run(["ip", "link", "set", bridge, "up"])


def join_bridges(first: Namespaces, second: Namespaces, bridge: str) -> None:
    """Plug a wire into the bridges of the same name of two nodes; it is gone when one of them ends."""
    token = secrets.token_hex(4)
    ends = ((first, f"sw{token}a"), (second, f"sw{token}b"))
    names = [name for _, name in ends]
    command = ["ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1]]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode != 0:
        raise LabError(f"{' '.join(command)}: {result.stderr}")
    first.own_link(names[0])
    for node, name in ends:
        subprocess.run(["ip", "link", "set", name, "netns", str(node.init_pid)], check=True)
        node.run(["ip", "link", "set", name, "master", bridge, "up"])
