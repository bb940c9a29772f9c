"""First content of the lab's cloud, as an administrator would enter it; prints the users as JSON.

Runs as a program with the cloud's settings: ``BASE-URL CLUSTER RAPI-PORT USER PASSWORD HYPERVISOR``.
"""

from __future__ import annotations

import json
import sys

import django
from django.core.management import call_command

from tests.lab.cloud import GUEST_GATEWAY, GUEST_SUBNET

#: CPUs, MiB of memory and GiB of disk; the lab's guests are small.
_FLAVORS = (("1", "128", "1"), ("1", "256", "2"), ("2", "512", "4"))


def main() -> None:
    """Make the tables and fill them."""
    django.setup()
    from synnefo.demo import seed

    base_url, cluster, port, user, password, hypervisor = sys.argv[1:]
    call_command("migrate", verbosity=0)
    seed.register_services(base_url)
    seed.set_limits()
    users = seed.create_users()
    account = ["--user", user, f"--pass={password}", "--port", port, "--hypervisor", hypervisor]
    seed.manage("backend-add", "--clustername", cluster, *account)
    seed.manage("backend-modify", "1", "--drained", "False")
    for size in _FLAVORS:
        seed.manage("flavor-create", *size, "file")
    subnet = ["--subnet", GUEST_SUBNET, "--gateway", GUEST_GATEWAY, "--dhcp", "True"]
    seed.manage("network-create", "--public", "--flavor", "CUSTOM", "--name", "public", *subnet)
    seed.manage("pool-create", "--type", "mac-prefix", "--base", "aa:00:0", "--size", "65536")
    print(json.dumps(users))


if __name__ == "__main__":
    main()
