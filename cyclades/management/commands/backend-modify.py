"""Change a Ganeti cluster's registration."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import backends
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, strict_bool


class Command(SynnefoCommand):
    help = "Change a backend: drained ones get no new servers, offline ones are not contacted at all."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("backend_id", metavar="ID", help="Id or cluster name of the backend.")
        add("--clustername", help="New cluster name.")
        add("--port", type=int, help="New port.")
        add("--user", "--username", dest="username", help="New RAPI account.")
        add("--pass", "--password", dest="password", help="New password.")
        add("--hypervisor", choices=backends.HYPERVISORS, help="New hypervisor.")
        for name in ("drained", "offline", "public"):
            add(f"--{name}", type=strict_bool, metavar="True|False")
        add(
            "--no-check",
            action="store_true",
            help="Do not try a new name, which must be the cluster's own, or credentials.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        names = (
            "clustername",
            "port",
            "username",
            "password",
            "hypervisor",
            "drained",
            "offline",
            "public",
        )
        changes = {name: options[name] for name in names if options[name] is not None}
        if not changes:
            raise CommandError("Nothing to change.")
        backends.modify_backend(
            Credentials.administrator(),
            backend_id=options["backend_id"],
            changes=changes,
            check=not options["no_check"],
        )
