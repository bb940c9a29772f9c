"""Change a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import rescue, server_actions, server_owner, servers
from cyclades.management.arguments import find_flavor, find_server
from cyclades.management.server_tag_options import add_tag_options, change_tags, wants_tags
from cyclades.management.waiting import follow
from cyclades.models import JobIntent, Server
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, add_wait_option, strict_bool

Act = Callable[[Credentials, int], JobIntent]

ACTIONS: dict[str, Act] = {
    "start": lambda who, pk: server_actions.start(who, server_id=pk),
    "stop": lambda who, pk: server_actions.stop(who, server_id=pk),
    "reboot_hard": lambda who, pk: server_actions.reboot(who, server_id=pk, kind="HARD"),
    "reboot_soft": lambda who, pk: server_actions.reboot(who, server_id=pk, kind="SOFT"),
    "rescue": lambda who, pk: rescue.rescue(who, server_id=pk),
    "unrescue": lambda who, pk: rescue.unrescue(who, server_id=pk),
}


class Command(SynnefoCommand):
    help = (
        "Change a server; actions are done as administrator, on suspended servers too. "
        "Examples: snf-manage server-modify 42 --suspended True; "
        "snf-manage server-modify snf-42 --action rescue; "
        "snf-manage server-modify 42 --tag-add rack7 --tag-namespace system"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("server_id", metavar="ID", help="Id, or name of the Ganeti instance.")
        add("--name", help="New name.")
        add("--user", "--owner", dest="user", metavar="UUID", help="New owner; quota is not moved.")
        add("--suspended", type=strict_bool, metavar="True|False", help="Whether users may act on it.")
        add("--flavor", metavar="ID", help="New flavor, of a stopped server, with the same disk.")
        add("--action", choices=sorted(ACTIONS), help="What to do with it.")
        add_tag_options(parser)
        add_wait_option(parser, default=True)

    def handle(self, *args: Any, **options: Any) -> None:
        server = find_server(options["server_id"])
        if options["action"] and options["flavor"]:
            raise CommandError("--action and --flavor start a job each: give one of them")
        tags = wants_tags(options)
        self._change_row(server, options)
        intent = self._start_job(server, options)
        follow(self, intent, wait=options["wait"])
        for change in change_tags(server, options) if tags else ():
            follow(self, change, wait=options["wait"])

    def _change_row(self, server: Server, options: dict[str, Any]) -> None:
        administrator = Credentials.administrator()
        if options["name"] is not None:
            servers.rename(administrator, server_id=server.pk, name=options["name"])
        if options["suspended"] is not None and options["suspended"] != server.suspended:
            servers.set_suspended(administrator, server_id=server.pk, suspended=options["suspended"])
        if options["user"] is not None:
            if "@" in options["user"]:
                raise CommandError("--user takes the uuid of the new owner")
            server_owner.change_owner(administrator, server_id=server.pk, user_id=options["user"])
            self.say("Quota was not moved: run reconcile-resources-cyclades to bring it up to date.")

    def _start_job(self, server: Server, options: dict[str, Any]) -> JobIntent | None:
        administrator = Credentials.administrator()
        if options["flavor"] is not None:
            flavor = find_flavor(options["flavor"])
            return server_actions.resize(administrator, server_id=server.pk, flavor_id=flavor.pk)
        if options["action"] is not None:
            return ACTIONS[options["action"]](administrator, server.pk)
        return None
