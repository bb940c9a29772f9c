"""Make a server of a Ganeti instance."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import backends, server_actions, server_import
from cyclades.management.arguments import find_flavor
from cyclades.management.server_view import summary
from cyclades.management.waiting import follow
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = (
        "Make a server of a Ganeti instance that was created by other means: it is shut down, charged to its "
        "new owner, renamed and started again. Its NICs must be in networks of this installation, or be "
        "replaced with --new-nics."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("instance", metavar="INSTANCE", help="Name of the instance in Ganeti.")
        add("--backend-id", metavar="ID", required=True, help="Backend (id or cluster name) that has it.")
        add("--user", "--user-id", dest="user", metavar="UUID|EMAIL", required=True, help="Its owner.")
        add("--project", metavar="UUID", help="Project to charge; the owner's own by default.")
        add("--image", "--image-id", dest="image", metavar="UUID", required=True, help="Image to show.")
        add("--flavor", "--flavor-id", dest="flavor", metavar="ID", required=True, help="Flavor it has.")
        add(
            "--new-nics",
            action="store_true",
            help="Replace its NICs by ports in the default networks of new servers.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        credentials = Credentials.administrator()
        request = server_import.ImportRequest(
            instance=options["instance"],
            user_id=users.uuid_of(options["user"]),
            backend=backends.get_backend(backend_id=options["backend_id"]),
            image_id=options["image"],
            flavor=find_flavor(options["flavor"]),
            new_nics=options["new_nics"],
            project=options["project"],
        )
        server = server_import.run(credentials, request=request, say=self.say)
        self.print_show(summary(server))
        follow(self, server_actions.start(credentials, server_id=server.pk), wait=True)
