"""First content of the lab's cloud, as an administrator would enter it; prints the users as JSON.

Runs as a program with the cloud's settings:
``[--ipv6] BASE-URL HYPERVISOR [CLUSTER RAPI-PORT USER PASSWORD]…``.
"""

from __future__ import annotations

import datetime
import json
import sys

import django
from django.core.management import call_command

from synnefo import clock
from synnefo.credentials import Credentials
from tests.lab.cloud import GUEST_GATEWAY, GUEST_IPV6, GUEST_POOL, GUEST_SUBNET, RESCUE_IMAGE

#: CPUs, MiB of memory and GiB of disk; the lab's guests are small.
_FLAVORS = (("1", "128", "1"), ("1", "256", "2"), ("2", "512", "4"))


#: Room for suites of the acceptance test side by side.
_LIMITS = {
    "cyclades.vm": "20",
    "cyclades.cpu": "40",
    "cyclades.total_cpu": "60",
    "cyclades.floating_ip": "20",
    "cyclades.network.private": "10",
}


def _second_project(users: dict[str, str]) -> None:
    """A project beside the demo user's own, with room for servers."""
    from astakos.logic import applications, memberships

    resources = {
        name: {"project_capacity": amount, "member_capacity": amount}
        for name, amount in {
            "cyclades.vm": 5,
            "cyclades.cpu": 10,
            "cyclades.ram": 8 << 30,
            "cyclades.disk": 40 << 30,
            "cyclades.network.private": 2,
            "cyclades.floating_ip": 2,
        }.items()
    }
    body = {
        "name": "second.lab.example",
        "end_date": (clock.now() + datetime.timedelta(days=30)).isoformat(),
        "resources": resources,
    }
    user = Credentials(
        user_id=users["user_uuid"],
        projects=frozenset({users["user_uuid"]}),
        default_project=users["user_uuid"],
    )
    submitted = applications.submit_new(user, body=body)
    administrator = Credentials.administrator()
    applications.approve(administrator, application_id=submitted.application, project=submitted.project)
    memberships.enroll(administrator, project=submitted.project, email=users["email"])


def main() -> None:
    """Make the tables and fill them."""
    django.setup()
    from synnefo.demo import seed

    ipv6 = sys.argv[1] == "--ipv6"
    base_url, hypervisor, *accounts = sys.argv[1 + ipv6 :]
    call_command("migrate", verbosity=0)
    seed.register_services(base_url)
    seed.set_limits()
    for resource, limit in _LIMITS.items():
        seed.manage("resource-modify", resource, "--system-default", limit)
    users = seed.create_users()
    _second_project(users)
    for number, account in enumerate(zip(*[iter(accounts)] * 4, strict=True), start=1):
        cluster, port, user, password = account
        options = ["--user", user, f"--pass={password}", "--port", port, "--hypervisor", hypervisor]
        seed.manage("backend-add", "--clustername", cluster, *options)
        seed.manage("backend-modify", str(number), "--drained", "False")
    for size in _FLAVORS:
        seed.manage("flavor-create", *size, "file")
    seed.manage("volume-type-create", "--name", "ext_archipelago", "--disk-template", "ext_snffile")
    seed.manage("flavor-create", *_FLAVORS[0], "ext_snffile")
    subnet = ["--subnet", GUEST_SUBNET, "--gateway", GUEST_GATEWAY, "--dhcp", "True"]
    subnet += ["--allocation-pool", GUEST_POOL, "--floating-ip-pool", "True"]
    if ipv6:
        subnet += ["--subnet6", f"{GUEST_IPV6}/64", "--gateway6", f"{GUEST_IPV6}1"]
    seed.manage("network-create", "--public", "--flavor", "CUSTOM", "--name", "public", *subnet)
    seed.manage("pool-create", "--type", "mac-prefix", "--base", "aa:00:0", "--size", "65536")
    rescue = ["--location", RESCUE_IMAGE, "--os-family", "linux", "--target-os-family", "linux"]
    seed.manage("rescue-image-create", "--name", "rescue", *rescue, "--default", "True")
    print(json.dumps(users))


if __name__ == "__main__":
    main()
