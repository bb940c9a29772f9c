"""Keep helper servers on every backend."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.ganeti import side_by_side
from cyclades.logic import backends, helper_servers
from cyclades.logic.helper_servers import HelperPlan
from cyclades.logic.server_create import ServerRequest
from cyclades.management.arguments import find_flavor, words
from cyclades.models import Backend
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand, add_wait_option, strict_bool

_MANDATORY = ("user", "password", "flavor", "image")


class Command(SynnefoCommand):
    help = (
        "Create the helper servers that backends lack and stop those that run. Their user must have the "
        "quota for them. Volumes do without helpers; this is for deployments that keep such servers."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--backend-id", metavar="ID", help="Only this backend (id or cluster name).")
        add("--copies", type=int, default=1, metavar="N", help="Helpers of each backend (default 1).")
        add("--name", default=helper_servers.DEFAULT_NAME, help="Name of new ones (default %(default)s).")
        add("--user", "--user-id", dest="user", metavar="UUID|EMAIL", help="Owner of new ones.")
        add("--project", metavar="UUID", help="Project to charge; the owner's own by default.")
        add("--image", "--image-id", dest="image", metavar="UUID", help="Image of their system disk.")
        add("--flavor", "--flavor-id", dest="flavor", metavar="ID", help="Flavor; says which disk template.")
        add("--password", help="Password of new ones.")
        add("--tags", metavar="A,B", help="Tags of new ones.")
        add(
            "--parallel",
            type=strict_bool,
            default=True,
            metavar="True|False",
            help="Look after several backends at a time (default True).",
        )
        add_wait_option(parser, default=True)

    def handle(self, *args: Any, **options: Any) -> None:
        for name in _MANDATORY:
            if not options[name]:
                raise CommandError(f"{name} is mandatory")
        plan = self._plan(options)
        user = users.uuid_of(options["user"])
        credentials = Credentials(user_id=user, default_project=user, is_admin=True)
        chosen = backends.get_backend(backend_id=options["backend_id"]) if options["backend_id"] else None
        suitable = helper_servers.suitable_backends(plan.flavor, backend=chosen)
        if not suitable:
            raise CommandError(f"No online backend offers the disks of flavor {plan.flavor.name}.")
        work = partial(self._synchronise, credentials, plan)
        if options["parallel"]:
            results = side_by_side.on_each(suitable, work)
        else:
            results = [work(backend) for backend in suitable]
        problems = [problem for result in results for problem in result]
        if problems:
            raise CommandError("; ".join(problems), returncode=EXIT_PARTIAL)

    @staticmethod
    def _plan(options: dict[str, Any]) -> HelperPlan:
        if not 1 <= options["copies"] <= 100:
            raise CommandError("--copies must be between 1 and 100")
        flavor = find_flavor(options["flavor"])
        request = ServerRequest(
            name=options["name"],
            image_id=options["image"],
            flavor_id=flavor.pk,
            project=options["project"],
            tags=words(options["tags"]),
            networks=[],
            admin_password=options["password"],
        )
        return HelperPlan(request, flavor, options["copies"], options["wait"])

    def _synchronise(self, credentials: Credentials, plan: HelperPlan, backend: Backend) -> list[str]:
        return helper_servers.synchronise(credentials, backend=backend, plan=plan, say=self.say)
