"""First content of the demo: services, limits, users, one cluster, one public network, flavors.

Runs as a program with the demo's settings: ``schema DIR`` makes the tables, ``content DIR RAPI-PORT URL``
fills them and prints the users' credentials as JSON. Repeating it changes nothing but addresses.
"""

from __future__ import annotations

import io
import json
import secrets
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command

from synnefo.demo.layout import CLUSTER_NAME, RAPI_USER, write_private

_LIMITS = {
    "cyclades.vm": "4",
    "cyclades.cpu": "8",
    "cyclades.total_cpu": "16",
    "cyclades.ram": "8GiB",
    "cyclades.total_ram": "16GiB",
    "cyclades.disk": "80GiB",
    "cyclades.network.private": "3",
    "cyclades.floating_ip": "3",
    # A snapshot counts as many bytes as its volume has: room for three of the smallest server's disk.
    "pithos.diskspace": "40GiB",
}
#: CPUs, MiB of memory, GiB of disk; a small, a medium and a large server.
_FLAVORS = (("1", "1024", "10"), ("2", "2048", "20"), ("4", "4096", "40"))
#: The kind of disk whose volumes leave one server and join another.
_DETACHABLE = "ext_snffile"
#: What the small server can be resized to: the size of a disk stays.
_SAME_DISK = ("2", "2048", "10")
USER_EMAIL = "user@demo.synnefo.org"
ADMIN_EMAIL = "admin@demo.synnefo.org"


def content(root: Path, rapi_port: str, base_url: str) -> dict[str, str]:
    """Fill the database as far as it is not filled yet and return the users' credentials."""
    register_services(base_url)
    _register_view(base_url)
    file = root / "users.json"
    if not file.exists():
        set_limits()
        made = create_users()
        _let_decide(root, made["admin_uuid"])
        write_private(file, json.dumps(made))
    _add_cluster(root, rapi_port)
    if not _rows("flavor-list"):
        for size in _FLAVORS:
            manage("flavor-create", *size, "file")
    if not any(row["disk_template"] == _DETACHABLE for row in _rows("volume-type-list")):
        # kamaki takes a type with this name where the user names none.
        manage("volume-type-create", "--name", "ext_archipelago", "--disk-template", _DETACHABLE)
        manage("flavor-create", *_FLAVORS[0], _DETACHABLE)
        manage("flavor-create", *_SAME_DISK, "file")
    if not _rows("network-list", "--public"):
        manage(
            "network-create", "--public", "--name", "Internet", "--flavor", "CUSTOM",
            "--subnet", "203.0.113.0/24", "--gateway", "203.0.113.1", "--dhcp", "True",
            "--floating-ip-pool", "True",
        )  # fmt: skip
    if not _rows("rescue-image-list"):
        # The simulated cluster looks at no file.
        manage(
            "rescue-image-create", "--name", "Rescue", "--location", "rescue.iso", "--os-family", "linux",
            "--target-os-family", "linux", "--default", "True",
        )  # fmt: skip
    # The pools come by type, each with its rows.
    if not json.loads(manage("pool-list", "--type", "mac-prefix", "--output-format", "json"))["mac-prefix"]:
        manage("pool-create", "--type", "mac-prefix", "--base", "aa:00:0", "--size", "65536")
    users: dict[str, str] = json.loads(file.read_text())
    return users


def set_limits() -> None:
    """Give every new user a small quota."""
    for resource, limit in _LIMITS.items():
        manage("resource-modify", resource, "--system-default", limit)


def register_services(base_url: str) -> None:
    """Register the services of this host below *base_url*, or refresh what is known of them."""
    from astakos import public as astakos
    from cyclades import public as cyclades
    from pithos import public as pithos

    for name, service in (("astakos", astakos), ("pithos", pithos), ("cyclades", cyclades)):
        url = f"{base_url}/{name}"
        astakos.register_component(
            name=name, base_url=url, ui_url=f"{url}/ui", services=service.service_definitions()
        )


def _register_view(base_url: str) -> None:
    """Let users see their files in the browser, at the address of today."""
    client, secret = settings.PITHOS_OAUTH2_CLIENT_CREDENTIALS
    if any(row["identifier"] == client for row in _rows("oauth2-client-list")):
        manage("oauth2-client-remove", client, "--force")
    manage(
        "oauth2-client-add", client, f"--secret={secret}", "--is-trusted",
        "--url", f"{base_url}/pithos/ui/view",
    )  # fmt: skip


def create_users() -> dict[str, str]:
    """Create a user and an administrator; return what they sign in with."""
    from astakos.public import create_user

    password, admin_password = secrets.token_hex(8), secrets.token_hex(8)
    user = create_user(email=USER_EMAIL, password=password, first_name="Demo", last_name="User")
    admin = create_user(
        email=ADMIN_EMAIL, password=admin_password, first_name="Demo", last_name="Administrator", admin=True
    )
    return {
        "token": user.token,
        "user_uuid": user.uuid,
        "email": USER_EMAIL,
        "password": password,
        "admin_email": ADMIN_EMAIL,
        "admin_password": admin_password,
        "admin_token": admin.token,
        "admin_uuid": admin.uuid,
    }


def _let_decide(root: Path, admin: str) -> None:
    """Let the administrator decide about everybody's projects, in the browser too."""
    write_private(root / "settings" / "20-people.conf", f'ASTAKOS_PROJECT_ADMINS = {{"{admin}"}}\n')


def _add_cluster(root: Path, rapi_port: str) -> None:
    password = (root / "ganeti" / "rapi-password").read_text().strip()
    backends = _rows("backend-list")
    if not backends:
        manage(
            "backend-add", "--clustername", CLUSTER_NAME, "--port", rapi_port, "--user", RAPI_USER,
            f"--pass={password}", "--hypervisor", "kvm",
        )  # fmt: skip
        manage("backend-modify", str(_rows("backend-list")[0]["id"]), "--drained", "False")
    elif str(backends[0]["port"]) != rapi_port:
        manage("backend-modify", str(backends[0]["id"]), "--port", rapi_port)


def _rows(command: str, *arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(manage(command, *arguments, "--output-format", "json"))
    return rows


def manage(command: str, *arguments: str) -> str:
    """Run a management command and return what it printed on standard output."""
    output = io.StringIO()
    call_command(command, *arguments, stdout=output, stderr=io.StringIO())
    return output.getvalue()


def main() -> None:
    """Do what the command line says."""
    django.setup()
    if sys.argv[2] == "schema":
        call_command("migrate", verbosity=0)
    else:
        print(json.dumps(content(Path(sys.argv[1]), sys.argv[3], sys.argv[4])))  # noqa: T201  (for the caller)


if __name__ == "__main__":
    main()
