"""How network commands read and show what administrators type (administrator's contract 1.6 and 4.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from django.core.management.base import CommandError
from django.db.models import Model, QuerySet

from cyclades.ganeti import clients, names
from cyclades.logic import backends, network_projection
from cyclades.logic.cidrs import Range, parse_pools
from cyclades.management.arguments import number
from cyclades.models import Backend, IPAddress, Network, Port, Subnet
from synnefo.errors import BadRequest, ServiceUnavailable, SynnefoError
from synnefo.management.base import EXIT_USER_ERROR, SynnefoCommand

M = TypeVar("M", bound=Model)


def find_network(text: str) -> Network:
    """Return the network of an id or a Ganeti network name; raises ``CommandError``."""
    return _find(Network.objects.all(), text, "Network", "network-list", names.network_id_of)


def find_port(text: str) -> Port:
    """Return the port of an id or a Ganeti NIC name; raises ``CommandError``."""
    ports = Port.objects.select_related("network", "machine")
    return _find(ports, text, "Port", "port-list", names.port_id_of)


def find_subnet(text: str) -> Subnet:
    """Return the subnet of an id; raises ``CommandError``."""
    return _find(Subnet.objects.select_related("network"), text, "Subnet", "subnet-list")


def find_floating_ip(text: str, *, kept: bool = False) -> IPAddress:
    """Return the floating IP of an id; raises ``CommandError``, with *kept* also for a released one."""
    rows = IPAddress.objects.filter(floating_ip=True).select_related("nic")
    ip = _find(rows, text, "Floating IP", "floating-ip-list")
    if kept and ip.deleted:
        # Somebody else may have its address by now.
        raise CommandError(f"Floating IP {ip.pk} was released.")
    return ip


def _find(
    rows: QuerySet[M], text: str, what: str, command: str, parse: Callable[[str], int | None] | None = None
) -> M:
    found_id = parse(text) if parse else None
    if found_id is None:
        found_id = number(text, what)
    row = rows.filter(pk=found_id).first()
    if row is None:
        raise CommandError(
            f"{what} with ID {text} does not exist. Use {command} to find out available {what.lower()} IDs."
        )
    return row


def read_pools(texts: Sequence[str]) -> list[Range]:
    """Return the ranges of ``start,end`` texts; raises ``CommandError``."""
    entries = []
    for text in texts:
        start, comma, end = text.partition(",")
        if not comma:
            raise CommandError(f"'{text}' is not an allocation pool of the form start,end")
        entries.append({"start": start.strip(), "end": end.strip()})
    try:
        return parse_pools(entries)
    except BadRequest as error:
        raise CommandError(error.message) from error


def provide(command: SynnefoCommand, network: Network, on: Sequence[Backend], *, wait: bool) -> bool:
    """Make *network* exist on backends and tell how that went; return whether all went well."""
    jobs = network_projection.project(network, on)
    return follow_jobs(command, on, jobs, wait=wait)


def follow_jobs(
    command: SynnefoCommand, on: Sequence[Backend], jobs: Mapping[int, Sequence[int]], *, wait: bool
) -> bool:
    """Tell the jobs that were issued on backends and, with *wait*, how they ended."""
    succeeded = True
    for backend in on:
        if backend.pk not in jobs:
            command.stderr.write(f"Backend {backend} did not answer; reconcile-networks will try again.")
            succeeded = False
            continue
        for job in jobs[backend.pk]:
            command.say(f"Issued job '{job}'." + (" Waiting to complete..." if wait else ""))
            if wait:
                succeeded = _follow(command, backend, job) and succeeded
    return succeeded


def _follow(command: SynnefoCommand, backend: Backend, job: int) -> bool:
    try:
        status = backends.wait_for_job(backend, job).get("status")
    except (ServiceUnavailable, clients.GanetiApiError) as error:
        command.stderr.write(f"Job '{job}': {error}")
        return False
    if status != "success":
        command.stderr.write(f"Job '{job}' failed: its status is {status}.")
        return False
    command.say("Job finished successfully.")
    return True


def text_map(text: str, width: int) -> str:
    """Return a map of values in lines of *width*, each numbered by its first value."""
    lines = [text[start : start + width] for start in range(0, len(text), width)]
    return "\n".join(f"{number * width:6d}  {line}" for number, line in enumerate(lines))


def remove_each(command: SynnefoCommand, texts: Sequence[str], remove: Callable[[str], None]) -> None:
    """Call *remove* for every id and go on after failures; raises ``CommandError`` if any failed."""
    failed = False
    for text in texts:
        try:
            remove(text)
        except (SynnefoError, CommandError) as error:
            command.stderr.write(f"Error -- {text}: {error}")
            failed = True
    if failed:
        raise CommandError("Not all of them were removed", returncode=EXIT_USER_ERROR)
