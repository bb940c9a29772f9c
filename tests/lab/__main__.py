"""``make lab``: a cloud of real components to play with; Ctrl-C stops all of it."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from synnefo.demo.client_files import banner, write_client_files
from synnefo.demo.layout import Layout
from tests.lab.cloud import Cloud, describe
from tests.lab.guest import PASSWORD, guest_image
from tests.lab.instance import LabError


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _announce(cloud: Cloud) -> None:
    layout = Layout(cloud.directory, cloud.port)
    write_client_files(layout, cloud.credentials)
    print(banner(layout, cloud.credentials))
    for name, text in describe(cloud).items():
        print(f"  {name:<14}{text}")
    print(f"\nA bootable image to upload: {guest_image()} (root's password: {PASSWORD})")
    print("Unlike the demo's, this cloud's data is removed when it stops.\n", flush=True)


def main() -> int:
    """Start everything, say where it is, wait for Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make lab", description=__doc__)
    parser.add_argument("--port", type=int, default=None, help="port of the web server (default: a free one)")
    parser.add_argument("--hypervisor", choices=("kvm", "fake"), default="kvm", help="what servers run on")
    parser.add_argument("--clusters", type=int, choices=(1, 2, 3), default=2, help="Ganeti clusters")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _interrupt)
    cloud = Cloud(hypervisor=options.hypervisor, port=options.port, clusters=options.clusters)
    print("Starting PostgreSQL, RabbitMQ, memcached and Ganeti …", flush=True)
    try:
        with cloud:
            _announce(cloud)
            while True:
                time.sleep(1)
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
