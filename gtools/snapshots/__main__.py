"""The command line of ``snf-snapshot-agent``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence

from gtools import settings
from gtools.osprovider import node_config
from gtools.osprovider.errors import DeployError
from gtools.snapshots.agent import Agent, AgentOptions
from gtools.snapshots.sources import Places
from gtools.snapshots.storing import open_store
from synnefo import amqp

logger = logging.getLogger("snf-snapshot-agent")


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="snf-snapshot-agent",
        description="Copies disks of this Ganeti node's instances into the object store, when the dispatcher"
        " asks for it. Where the object store keeps its blocks is told by the image provider's settings"
        " (/etc/default/snf-image, PITHOS_*).",
    )
    parser.add_argument("-d", "--debug", action="store_true", help="log more")
    parser.add_argument("--config", help="settings directory (default: SYNNEFO_SETTINGS_DIR)")
    parser.add_argument(
        "--image-config", help="the image provider's settings (default: /etc/default/snf-image)"
    )
    parser.add_argument(
        "--amqp-hosts", action="append", metavar="URL", help="instead of AMQP_HOSTS; repeatable"
    )
    parser.add_argument(
        "--node-name", action="append", help="this node's name in Ganeti (default: the host's); repeatable"
    )
    places = Places()
    parser.add_argument("--monitor-dir", default=places.monitors, help="KVM's monitor sockets")
    parser.add_argument(
        "--scratch-dir", default=places.scratch, help="room for a copy of a running instance's disk"
    )
    parser.add_argument(
        "--simulated", action="store_true", help="for simulated clusters: every disk is empty"
    )
    return parser.parse_args(arguments)


def make_agent(options: argparse.Namespace) -> Agent:
    """Return the agent that the options describe; raise what is wrong with the settings."""
    configured = settings.load(options.config)
    hosts = tuple(options.amqp_hosts or configured.amqp_hosts)
    return Agent(
        AgentOptions(
            nodes=tuple(options.node_name or [socket.getfqdn()]),
            exchange=configured.exchange_ganeti,
            places=Places(options.monitor_dir, options.scratch_dir),
            simulated=options.simulated,
        ),
        connect=lambda: amqp.connect(hosts, name="snf-snapshot-agent"),
        store=open_store(node_config.load(options.image_config)),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the agent until SIGTERM or SIGINT."""
    options = parse_options(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    os.umask(0o007)
    try:
        agent = make_agent(options)
    except (settings.SettingsError, DeployError, OSError) as error:
        logger.error("%s", error)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: agent.stop())
    signal.signal(signal.SIGINT, lambda *_: agent.stop())
    agent.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
