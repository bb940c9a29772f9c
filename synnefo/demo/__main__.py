"""Launcher of the demo cloud: ``python -m synnefo.demo --port 8000 --data var/demo``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

from synnefo.demo import layout as demo_layout
from synnefo.demo.client_files import banner, write_client_files
from synnefo.demo.processes import Process, StartFailed, Supervisor
from synnefo.tls import unverified_context

#: Seconds between two runs of the periodic task.
_PERIOD = 300


def say(text: str) -> None:
    """Tell the person at the terminal."""
    print(text, flush=True)  # noqa: T201  (a program's own output)


class Demo:
    """The processes of a one-machine cloud, in the order in which they start."""

    def __init__(self, layout: demo_layout.Layout) -> None:
        self.layout = layout
        self.supervisor = Supervisor()
        self.environment = layout.environment()
        self.periodic = self._process("expire", "django", "pithos-expire")

    def run(self) -> int:
        """Start everything, stay until interrupted, stop everything; return the exit status."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        try:
            self._start()
            while True:
                time.sleep(0.5)
                self.supervisor.check(say)
                self._run_periodic()
        except KeyboardInterrupt:
            say("\nStopping…")
            return 0
        except (StartFailed, OSError, subprocess.CalledProcessError) as error:
            print(f"error: {error}", file=sys.stderr)  # noqa: T201  (a program's own output)
            return 1
        finally:
            self.supervisor.stop()

    def _start(self) -> None:
        layout = self.layout
        if _answers(f"{layout.base_url}/healthz"):
            raise StartFailed(f"something already answers at {layout.base_url}; choose another PORT")
        say("Preparing the data directory …")
        layout.prepare()
        rapi_port = layout.rapi_port()
        self._once("synnefo.demo.seed", "schema")
        say("Starting the simulated Ganeti cluster …")
        self._start_simulator(rapi_port)
        credentials = json.loads(self._once("synnefo.demo.seed", "content", str(rapi_port), layout.base_url))
        del credentials["admin_token"]
        credentials["auth_url"] = layout.auth_url
        write_client_files(layout, credentials)
        say("Starting the services …")
        self._start_web()
        self._start_daemons()
        self._once("synnefo.demo.starter_image", "upload", layout.base_url)
        say(banner(layout, credentials))

    def _run_periodic(self) -> None:
        """Start what an installation's timer runs, once the last run is over and old enough."""
        task = self.periodic
        if not task.running and time.monotonic() - task.started > _PERIOD:
            task.start()

    def _once(self, module: str, *arguments: str) -> str:
        """Run a module of the demo to its end and return what it printed."""
        result = subprocess.run(
            [sys.executable, "-m", module, str(self.layout.root), *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            check=False,
            text=True,
        )
        if result.returncode:
            raise StartFailed(f"{module} failed")
        return result.stdout.strip().splitlines()[-1] if result.stdout.strip() else ""

    def _process(self, name: str, *argv: str) -> Process:
        log = self.layout.logs / f"{name}.log"
        return Process(name, [sys.executable, "-m", *argv], self.environment, log)

    def _start_simulator(self, port: int) -> None:
        layout = self.layout
        monitor = f"{sys.executable} -m gtools.progress_monitor"
        process = self._process(
            "ganeti",
            "gtools.simulator",
            *(
                "--port",
                str(port),
                "--cluster-name",
                demo_layout.CLUSTER_NAME,
                "--user",
                demo_layout.RAPI_USER,
            ),
            *(
                "--password-file",
                str(layout.rapi_password_file),
                "--state",
                str(layout.ganeti / "state.json"),
            ),
            *("--queue-dir", str(layout.queue_dir), "--ssconf-dir", str(layout.ssconf_dir)),
            *("--luxi-socket", str(layout.luxi_socket), "--progress-command", monitor),
            # The node's name is where the console proxy looks for consoles.
            *("--node-name", "localhost", "--console-address", "127.0.0.1"),
            *("--statistics", str(layout.statistics)),
        )
        self.supervisor.start(process, ready=lambda: _answers(f"https://127.0.0.1:{port}/version"))

    def _start_web(self) -> None:
        configuration = Path(__file__).resolve().parents[2] / "conf" / "gunicorn.conf.py"
        process = self._process("web", "gunicorn", "-c", str(configuration), "synnefo.wsgi:application")
        self.supervisor.start(process, ready=lambda: _answers(f"{self.layout.base_url}/readyz"))

    def _start_daemons(self) -> None:
        layout = self.layout
        self.supervisor.start(
            self._process(
                "dispatcher",
                *("cyclades.dispatcher.main", "-d", "--pid-file", str(layout.root / "dispatcher.pid")),
            ),
            ready=lambda: True,
        )
        self.supervisor.start(
            self._process(
                "eventd",
                *("gtools.eventd", "-d", "--pid-file", str(layout.root / "eventd.pid")),
                *("--queue-dir", str(layout.queue_dir), "--ssconf-dir", str(layout.ssconf_dir)),
                *("--luxi-socket", str(layout.luxi_socket), "--spool-dir", str(layout.ganeti / "spool")),
            ),
            ready=lambda: True,
        )
        self.supervisor.start(
            self._process(
                "snapshot-agent",
                *("gtools.snapshots", "--simulated", "--image-config", str(layout.image_settings)),
                *("--node-name", demo_layout.CLUSTER_NAME),
            ),
            ready=lambda: True,
        )
        self.supervisor.start(
            self._process(
                "console",
                *("gtools.vncauthproxy.daemon", "-d", "--pid-file", str(layout.root / "console.pid")),
                *("--listen-port", str(layout.console_port), "--proxy-listen-address", "127.0.0.1"),
                *("--auth-file", str(layout.console_users_file)),
                *(
                    "--cert-file",
                    str(layout.ganeti / "rapi.pem"),
                    "--key-file",
                    str(layout.ganeti / "rapi.pem"),
                ),
                *("--origin", layout.base_url, "--origin", f"http://localhost:{layout.port}"),
            ),
            ready=lambda: _listens(layout.console_port),
        )


def _listens(port: int) -> bool:
    """Tell whether something listens at *port* of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


def _answers(url: str) -> bool:
    """Tell whether anything answers at *url*, whatever it says short of a server error."""
    context = unverified_context()
    try:
        with urllib.request.urlopen(url, timeout=2, context=context):  # noqa: S310  (our own address)
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Parse the command line and run the demo."""
    parser = argparse.ArgumentParser(
        prog="make run",
        description="A whole cloud on this machine: SQLite, an embedded queue, a simulated Ganeti.",
    )
    parser.add_argument("--port", type=int, default=8000, help="TCP port of the web server (default 8000)")
    parser.add_argument(
        "--data", default="var/demo", help="directory of everything it keeps (default var/demo)"
    )
    options = parser.parse_args()
    os.umask(0o077)
    return Demo(demo_layout.Layout(Path(options.data).resolve(), options.port)).run()


if __name__ == "__main__":
    sys.exit(main())
