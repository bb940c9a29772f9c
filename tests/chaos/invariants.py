"""What must be true of a cloud at rest, asked of its database, its clusters and its users' APIs.

Runs as a program with the cloud's settings: ``python -m tests.chaos.invariants`` prints what is wrong as a
JSON list. With ``--watch SECONDS`` it looks again and again until nothing is wrong or the time is over.
"""

from __future__ import annotations

import collections
import json
import sys
import time
from collections.abc import Iterator

import django

Holdings = collections.Counter[tuple[str, str, str]]


def unfinished() -> Iterator[str]:
    """Tasks, jobs, commissions and messages that still wait."""
    from astakos.models import Commission
    from cyclades.models import JobIntent, Network, Port, Server

    for server in Server.objects.filter(deleted=False):
        if server.task:
            yield f"server {server.pk} ({server.operstate}) has task {server.task}, job {server.task_job_id}"
        if server.operstate == "BUILD":
            yield f"server {server.pk} is still being built"
    for intent in JobIntent.objects.exclude(state__in=("DONE", "FAILED")):
        yield f"intent {intent.pk} ({intent.operation} of server {intent.server_id}) is {intent.state}"
    for commission in Commission.objects.all():
        yield f"commission {commission.pk} ({commission.name}) is pending"
    for port in Port.objects.filter(state="BUILD", machine__deleted=False):
        yield f"port {port.pk} of server {port.machine_id} is still in BUILD"
    for network in Network.objects.filter(deleted=False).exclude(state="ACTIVE"):
        yield f"network {network.pk} is {network.state}, action {network.action}"


def clusters() -> Iterator[str]:
    """Instances of Ganeti against rows: existence, run state, NICs."""
    from cyclades.ganeti import clients
    from cyclades.models import Backend, Server

    for backend in Backend.objects.all():
        with clients.rapi_for(backend) as rapi:
            instances = {item["name"]: item for item in rapi.GetInstances(bulk=True)}
        rows = {f"snf-{row.pk}": row for row in Server.objects.filter(backend=backend, deleted=False)}
        for name in instances.keys() - rows.keys():
            yield f"{backend.clustername} has {name}, the database does not"
        for name in rows.keys() - instances.keys():
            if rows[name].operstate != "ERROR":
                yield f"{name} is {rows[name].operstate} and not on {backend.clustername}"
        for name in rows.keys() & instances.keys():
            yield from _instance(rows[name], instances[name])


def _instance(row: object, instance: dict[str, object]) -> Iterator[str]:
    running = bool(instance["oper_state"])
    state = row.operstate  # type: ignore[attr-defined]
    if state in ("STARTED", "STOPPED") and running != (state == "STARTED"):
        yield f"{instance['name']} is {state}, running on the cluster: {running}"
    seen = {name for name in instance["nic.names"] if name}  # type: ignore[attr-defined]
    expected = {f"snf-nic-{port.pk}" for port in row.ports.exclude(state="ERROR")}  # type: ignore[attr-defined]
    if seen != expected:
        yield f"{instance['name']} has NICs {sorted(seen)}, expected {sorted(expected)}"


def addresses() -> Iterator[str]:
    """Nothing is given to two."""
    from cyclades.models import IPAddress, Network, Port

    used = collections.Counter(IPAddress.objects.filter(deleted=False).values_list("subnet_id", "address"))
    yield from (f"address {key} is used {count} times" for key, count in used.items() if count > 1)
    macs = collections.Counter(Port.objects.exclude(mac=None).values_list("mac", flat=True))
    yield from (f"MAC {mac} is used {count} times" for mac, count in macs.items() if count > 1)
    networks = Network.objects.filter(deleted=False, flavor="MAC_FILTERED")
    prefixes = collections.Counter(networks.values_list("mac_prefix", flat=True))
    yield from (f"prefix {prefix} is used {count} times" for prefix, count in prefixes.items() if count > 1)


def _existing() -> Holdings:
    """What every user has in every project."""
    from cyclades.models import IPAddress, Network, Server, Volume
    from pithos.models import ContainerPolicy

    found: Holdings = collections.Counter()
    for server in Server.objects.filter(deleted=False).select_related("flavor"):
        key = (server.userid, server.project)
        found[*key, "cyclades.vm"] += 1
        found[*key, "cyclades.total_cpu"] += server.flavor.cpu
        found[*key, "cyclades.total_ram"] += server.flavor.ram << 20
        if server.operstate not in ("STOPPED",):
            found[*key, "cyclades.cpu"] += server.flavor.cpu
            found[*key, "cyclades.ram"] += server.flavor.ram << 20
    for volume in Volume.objects.filter(deleted=False):
        found[volume.userid, volume.project, "cyclades.disk"] += volume.size << 30
    for network in Network.objects.filter(deleted=False, public=False):
        found[str(network.userid), str(network.project), "cyclades.network.private"] += 1
    for ip in IPAddress.objects.filter(deleted=False, floating_ip=True):
        found[str(ip.userid), str(ip.project), "cyclades.floating_ip"] += 1
    for policy in ContainerPolicy.objects.select_related("node__parent", "node__statistics"):
        account = str(policy.node.parent)
        key = (account, policy.project or account, "pithos.diskspace")
        found[key] += policy.node.statistics.current_bytes
    return found


def quota() -> Iterator[str]:
    """Usage of every holding is the sum of what exists; nothing is pending."""
    from astakos.models import Holding

    existing = _existing()
    for row in Holding.objects.exclude(holder__startswith="project:"):
        user = row.holder.removeprefix("user:")
        project = str(row.source).removeprefix("project:")
        usage, expected = row.usage_max, existing.pop((user, project, row.resource), 0)
        if row.usage_min != row.usage_max:
            yield f"{row.resource} of {user} in {project} is pending: {row.usage_min}…{row.usage_max}"
        elif usage != expected and row.resource.startswith(("cyclades.", "pithos.")):
            yield f"{row.resource} of {user} in {project}: usage {usage}, exists {expected}"
    yield from (f"{key} exists without a holding: {amount}" for key, amount in existing.items() if amount)


def violations() -> list[str]:
    """Everything that is wrong."""
    return [text for look in (unfinished, clusters, addresses, quota) for text in look()]


def main() -> None:
    """Look once, or until all is well."""
    django.setup()
    seconds = float(sys.argv[2]) if sys.argv[1:2] == ["--watch"] else 0.0
    deadline = time.monotonic() + seconds
    found = violations()
    while found and time.monotonic() < deadline:
        time.sleep(2)
        found = violations()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
