"""The options of server-modify that change tags (administrator's contract 4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import tag_changes
from cyclades.logic.server_tags import PREFIXES
from cyclades.management.arguments import words
from cyclades.models import JobIntent, Server
from synnefo.credentials import Credentials

_OPTIONS = ("tag_add", "tag_delete", "tag_delete_all", "tag_replace_all")


def add_tag_options(parser: CommandParser) -> None:
    """Add the options; one of them at a time can be used."""
    parser.add_argument("--tag-add", metavar="TAG", help="Add a tag.")
    parser.add_argument("--tag-delete", metavar="TAG", help="Delete a tag.")
    parser.add_argument("--tag-delete-all", action="store_true", help="Delete all tags of the namespace.")
    parser.add_argument("--tag-replace-all", metavar="A,B", help="Replace all tags of the namespace.")
    parser.add_argument(
        "--tag-namespace",
        choices=sorted(PREFIXES),
        default="user",
        help="Whose tags: those of users (default), or those that only administrators see.",
    )


def wants_tags(options: Mapping[str, Any]) -> bool:
    """Tell whether tags are to be changed; raises ``CommandError`` for several changes at once."""
    given = [name for name in _OPTIONS if options[name] not in (None, False)]
    if len(given) > 1:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise CommandError(f"Give only one of {names}")
    return bool(given)


def change_tags(server: Server, options: Mapping[str, Any]) -> list[JobIntent]:
    """Do the change that the options ask for and return its jobs."""
    administrator, namespace = Credentials.administrator(), options["tag_namespace"]
    common = {"server_id": server.pk, "namespace": namespace}
    if options["tag_add"] is not None:
        return tag_changes.add_tag(administrator, tag=options["tag_add"], **common).intents
    if options["tag_replace_all"] is not None:
        wanted = words(options["tag_replace_all"])
        return tag_changes.replace_tags(administrator, tags=wanted, **common).intents
    return tag_changes.delete_tags(administrator, tag=options["tag_delete"], **common).intents
