"""Run a simulated Ganeti cluster: ``python -m gtools.simulator --help``."""

from __future__ import annotations

import argparse
import json
import logging
import shlex
import signal
import socket
import sys
import threading
from pathlib import Path

from gtools.simulator import AlreadyRunning, Simulator, SimulatorOptions
from gtools.simulator.faults import Fault


def parser() -> argparse.ArgumentParser:
    """Return the command line's description."""
    result = argparse.ArgumentParser(prog="python -m gtools.simulator", description=__doc__)
    add = result.add_argument
    add("--host", default="127.0.0.1", help="address of the remote API (default: %(default)s)")
    add("--port", type=int, default=5080, help="port of the remote API (default: %(default)s)")
    add("--control-port", type=int, help="port on 127.0.0.1 of the control endpoint (default: none)")
    add("--queue-dir", type=Path, required=True, help="the job queue directory that eventd watches")
    add("--state", type=Path, required=True, help="file that keeps the cluster between runs")
    add("--ssconf-dir", type=Path, help="directory for the ssconf files that eventd reads")
    add("--luxi-socket", type=Path, help="unix socket that eventd queries")
    add("--cluster-name", default="ganeti.example.org", help="name of the cluster (default: %(default)s)")
    add("--node-name", default=socket.gethostname(), help="name of the only node (default: this host's)")
    add("--user", default="synnefo", help="user of the remote API (default: %(default)s)")
    add("--password-file", type=Path, required=True, help="file whose first line is the user's password")
    add("--speed", type=float, default=1.0, help="how many times faster than usual; 0: no delays at all")
    add("--hypervisors", default="kvm,fake", help="enabled hypervisors, the default one first")
    add("--progress-command", default="", help="program that gets the image provider's messages")
    add("--fail", action="append", default=[], metavar="JSON", help="plan a failure, as POST /faults does")
    add("--console-address", help="where running instances show consoles, at their ports (default: nowhere)")
    add("--statistics", type=Path, help="directory for RRD files of running instances (default: none)")
    add("--debug", action="store_true", help="log every request")
    return result


def options_from(arguments: argparse.Namespace) -> SimulatorOptions:
    """Return the options that a command line stands for."""
    password = arguments.password_file.read_text().partition("\n")[0].strip()
    if not password:
        raise ValueError(f"{arguments.password_file} holds no password")
    return SimulatorOptions(
        queue_dir=arguments.queue_dir,
        state_file=arguments.state,
        cluster_name=arguments.cluster_name,
        master_name=arguments.node_name,
        user=arguments.user,
        password=password,
        host=arguments.host,
        port=arguments.port,
        control_port=arguments.control_port,
        time_scale=1 / arguments.speed if arguments.speed > 0 else 0.0,
        progress_command=tuple(shlex.split(arguments.progress_command)),
        luxi_socket=arguments.luxi_socket,
        ssconf_dir=arguments.ssconf_dir,
        console_address=arguments.console_address,
        statistics_directory=arguments.statistics,
        hypervisors=tuple(arguments.hypervisors.split(",")),
    )


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    arguments = parser().parse_args()
    logging.basicConfig(
        level=logging.DEBUG if arguments.debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        simulator = Simulator(options_from(arguments))
        for text in arguments.fail:
            simulator.faults.add(Fault.parse(json.loads(text)))
        with simulator:
            logging.info("remote API at https://%s:%s", arguments.host, simulator.port)
            stopped.wait()
    except (OSError, ValueError, AlreadyRunning) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
