"""Where the demo keeps its data, and the configuration it writes there."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import socket
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gtools.vncauthproxy.accounts import hash_password

CLUSTER_NAME = "localhost"
#: Secrets of this demo, made once.
_KEYS = ("signing", "encryption", "view", "console")
CONSOLE_USER = "synnefo"
RAPI_USER = "synnefo"


@dataclass(frozen=True)
class Layout:
    """The demo's data directory and the address of its web server."""

    root: Path
    port: int

    @property
    def base_url(self) -> str:
        """Return the address of the web server, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def auth_url(self) -> str:
        """Return the address that clients authenticate at."""
        return f"{self.base_url}/astakos/identity/v2.0"

    @property
    def settings_dir(self) -> Path:
        """Return the directory of the ``*.conf`` files."""
        return self.root / "settings"

    @property
    def ganeti(self) -> Path:
        """Return the simulated cluster's directory."""
        return self.root / "ganeti"

    @property
    def queue_dir(self) -> Path:
        """Return the simulated cluster's job queue."""
        return self.ganeti / "queue"

    @property
    def ssconf_dir(self) -> Path:
        """Return the simulated cluster's ssconf files."""
        return self.ganeti / "ssconf"

    @property
    def luxi_socket(self) -> Path:
        """Return the simulated cluster's query socket."""
        return self.ganeti / "query.sock"

    @property
    def rapi_password_file(self) -> Path:
        """Return the file with the RAPI password."""
        return self.ganeti / "rapi-password"

    @property
    def image_settings(self) -> Path:
        """Return the settings file that programs on a Ganeti node read."""
        return self.ganeti / "snf-image"

    @property
    def statistics(self) -> Path:
        """Return the directory of the files that graphs are drawn from."""
        return self.root / "rrd"

    @property
    def console_users_file(self) -> Path:
        """Return the file of who may ask for consoles."""
        return self.root / "console-users"

    @property
    def logs(self) -> Path:
        """Return the directory of the processes' logs."""
        return self.root / "logs"

    @property
    def broker(self) -> str:
        """Return the address of the embedded message broker."""
        return f"embedded://{self.root / 'queue.sqlite3'}"

    def prepare(self) -> None:
        """Create the directories and write the configuration; what exists is kept."""
        for folder in (self.root, self.settings_dir, self.ganeti, self.queue_dir, self.ssconf_dir, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.rapi_password_file.exists():
            write_private(self.rapi_password_file, secrets.token_hex(16))
        keys = self._keys()
        write_private(self.settings_dir / "10-demo.conf", self._configuration(keys))
        write_private(self.image_settings, f"PITHOS_BLOCK_PATH={shlex.quote(str(self.root / 'blocks'))}\n")
        hashed = hash_password(keys["console"])
        write_private(self.console_users_file, f"{CONSOLE_USER}:{hashed}\n")

    def rapi_port(self) -> int:
        """Return the simulated cluster's port: the one of the last run if it is free."""
        return _lasting_port(self.ganeti / "rapi-port")

    @cached_property
    def console_port(self) -> int:
        """Return the port at which consoles are asked for, chosen once for each run."""
        return _lasting_port(self.root / "console-port")

    def environment(self) -> dict[str, str]:
        """Return the environment of every process of the demo."""
        return os.environ | {
            "SYNNEFO_SETTINGS_DIR": str(self.settings_dir),
            "DJANGO_SETTINGS_MODULE": "synnefo.settings",
            "SYNNEFO_BIND": f"127.0.0.1:{self.port}",
            # One process with many threads: the caches of the demo live in its memory.
            "SYNNEFO_WORKERS": "1",
            "SYNNEFO_THREADS": "24",
            "PYTHONUNBUFFERED": "1",
        }

    def _keys(self) -> dict[str, str]:
        file = self.root / "keys.json"
        known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        keys = {name: known.get(name) or secrets.token_urlsafe(36) for name in _KEYS}
        if keys != known:
            write_private(file, json.dumps(keys))
        return keys

    def _configuration(self, keys: dict[str, str]) -> str:
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(self.root / "db.sqlite3")}
        console = {
            "auth_user": CONSOLE_USER,
            "auth_password": keys["console"],
            "server_port": self.console_port,
        }
        graphs = f"{self.base_url}/stats/v1.0"
        return f"""# Written by "make run" at every start; put your own settings into 99-local.conf beside it.
SECRET_KEY = {keys["signing"]!r}
SECRET_ENCRYPTION_KEY = {keys["encryption"]!r}
DATABASES = {{"default": {database!r}}}
AMQP_HOSTS = [{self.broker!r}]
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
LOG_DIR = {str(self.logs)!r}
ASTAKOS_BASE_URL = {self.base_url + "/astakos"!r}
OAUTH2_REQUIRE_TLS = False
PITHOS_BASE_URL = {self.base_url + "/pithos"!r}
PITHOS_OAUTH2_CLIENT_CREDENTIALS = ("demo-view", {keys["view"]!r})
CYCLADES_BASE_URL = {self.base_url + "/cyclades"!r}
PITHOS_BACKEND_BLOCK_PATH = {str(self.root / "blocks")!r}
CYCLADES_VNCAUTHPROXY_OPTS = {console!r}
STATS_BASE_URL = {self.base_url + "/stats"!r}
RRD_PREFIX = {str(self.statistics)!r}
CPU_BAR_GRAPH_URL = {graphs + "/cpu-bar/%s"!r}
CPU_TIMESERIES_GRAPH_URL = {graphs + "/cpu-ts/%s"!r}
NET_BAR_GRAPH_URL = {graphs + "/net-bar/%s"!r}
NET_TIMESERIES_GRAPH_URL = {graphs + "/net-ts/%s"!r}
RAPI_CA_FILE = {str(self.ganeti / "rapi.pem")!r}
CYCLADES_FORCED_SERVER_NETWORKS = ["SNF:ANY_PUBLIC_IPV4"]
RESCUE_ENABLED = True
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
"""


def write_private(path: Path, text: str) -> None:
    """Write *text* to a file that only its owner may read, replacing it at once."""
    temporary = path.with_name(path.name + ".new")
    with os.fdopen(
        os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    temporary.replace(path)


def _lasting_port(file: Path) -> int:
    """Return a free port of 127.0.0.1, the one that *file* remembers if it is free still."""
    wanted = int(file.read_text()) if file.exists() else 0
    port = _bindable(wanted) or _bindable(0)
    if port is None:
        raise OSError("no free port on 127.0.0.1")
    file.write_text(str(port))
    return port


def _bindable(port: int) -> int | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return None
        bound: int = probe.getsockname()[1]
        return bound
