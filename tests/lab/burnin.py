"""``make burnin``: snf-burnin against a cloud of real components.

What is not given is chosen: the lab's guest image, and pings and logins from inside the guests' network.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence

from tests.e2e.cloud_user import CloudUser
from tests.lab.cloud import PROJECT, Cloud
from tests.lab.guest import guest_image

IMAGE = "lab guest"


def register_guest_image(cloud: Cloud) -> str:
    """Upload the lab's guest as the demo user and register it; returns its id."""
    with cloud.client() as client:
        owner = CloudUser(client, cloud.credentials["user_uuid"])
        owner.upload("images", "lab-guest.diskdump", guest_image())
        properties = {"OS": "lab", "OSFAMILY": "linux", "ROOT_PARTITION": "1", "USERS": "root"}
        return owner.register_image(IMAGE, "images", "lab-guest.diskdump", **properties)


def command(cloud: Cloud, *arguments: str) -> list[str]:
    """The command line of snf-burnin for this cloud."""
    return [
        *(sys.executable, "-m", "cyclades.burnin"),
        *("--auth-url", cloud.credentials["auth_url"], "--images", f"name:^{IMAGE}$"),
        *("--system-user", f"id:{cloud.credentials['user_uuid']}"),
        *("--log-folder", str(cloud.directory / "burnin"), "--query-interval", "0.5"),
        *("--command-prefix", shlex.join(cloud.cluster.inside([]))),
        *arguments,
    ]


def run(cloud: Cloud, *arguments: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run snf-burnin against this cloud and wait."""
    return subprocess.run(
        cloud.with_names(command(cloud, *arguments)),
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env={**os.environ, "SNF_BURNIN_TOKEN": cloud.credentials["token"]},
        timeout=timeout,
    )


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    """Start two clusters, run everything, stop them."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _interrupt)
    with Cloud(hypervisor="kvm", clusters=2, ipv6=True) as cloud:
        register_guest_image(cloud)
        for agent in cloud.snapshot_agents:
            cloud.start_process(agent)
        words = cloud.with_names(command(cloud, *arguments))
        environment = {**os.environ, "SNF_BURNIN_TOKEN": cloud.credentials["token"]}
        return subprocess.run(words, check=False, cwd=PROJECT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
