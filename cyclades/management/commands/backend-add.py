"""Register a Ganeti cluster."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.ganeti import clients
from cyclades.logic import backends
from synnefo.credentials import Credentials
from synnefo.errors import ServiceUnavailable
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand, strict_bool


class Command(SynnefoCommand):
    help = "Register a Ganeti cluster. It gets no servers until backend-modify --drained False."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--clustername", required=True, help="The name the cluster has itself.")
        add("--port", type=int, default=5080, help="Port of its RAPI (default 5080).")
        add("--user", "--username", dest="username", required=True, help="RAPI account with write access.")
        add("--pass", "--password", dest="password", required=True, help="The account's password.")
        add("--hypervisor", choices=backends.HYPERVISORS, default="kvm", help="Hypervisor (default kvm).")
        add("--public", type=strict_bool, default=True, metavar="True|False", help="Open to all projects.")
        add(
            "--no-check",
            action="store_true",
            help="Do not try credentials and name, which must be the cluster's own.",
        )
        add("--no-init", action="store_true", help="Do not read resources nor create public networks.")

    def handle(self, *args: Any, **options: Any) -> None:
        names = ("clustername", "port", "username", "password", "hypervisor", "public")
        backend = backends.add_backend(
            Credentials.administrator(),
            **{name: options[name] for name in names},
            check=not options["no_check"],
        )
        self.say(f"Created backend {backend.pk}, drained. Open it with backend-modify --drained False.")
        if options["no_init"]:
            self.print_show({"id": backend.pk})
            return
        backends.update_status(backend)
        fields = ("mfree", "mtotal", "dfree", "dtotal", "pinst_cnt", "ctotal", "disk_templates")
        shown = {"id": backend.pk} | {name: getattr(backend, name) for name in fields}
        headers = ("ID", "Name", "IPv4 Subnet", "IPv6 Subnet", "Mac Prefix", "Result")
        rows = [self._row(backend, result) for result in backends.provide_public_networks(backend)]
        self.print_tables({"Backend": (list(shown), [list(shown.values())]), "Networks": (headers, rows)})
        if any(row[-1] != "success" for row in rows):
            self.stderr.write("Some networks could not be created; reconcile-networks will try again.")
            raise SystemExit(EXIT_PARTIAL)

    @staticmethod
    def _row(backend: Any, result: backends.NetworkJob) -> list[Any]:
        subnets = {subnet.ipversion: subnet.cidr for subnet in result.network.subnets.all()}
        outcome = result.error
        try:
            for job in result.jobs:
                outcome = outcome or str(backends.wait_for_job(backend, job)["status"])
        except (ServiceUnavailable, clients.GanetiApiError) as error:
            outcome = str(error)
        return [
            result.network.pk,
            result.network.name,
            subnets.get(4),
            subnets.get(6),
            result.row.mac_prefix,
            outcome or "success",
        ]
