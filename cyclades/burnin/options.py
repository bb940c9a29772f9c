"""The command line of ``snf-burnin`` (administration contract 6.3)."""

from __future__ import annotations

import argparse
import os
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cyclades.burnin.choices import Choice, parse_choice
from synnefo.units import parse_size

_EPILOG = """\
examples:
  snf-burnin --auth-url https://cloud.example.org/identity/v2.0 --token "$TOKEN"
  snf-burnin … --set-tests FlavorsTestSuite,ServerTestSuite --images 'name:^Debian' --parallel 2
  snf-burnin … --delete-stale --set-tests none        remove what earlier runs left, test nothing

The token may also come from the environment variable SNF_BURNIN_TOKEN, where other users of the machine
cannot read it. Everything that the tests make is named "snf-test-<time>"; they use a normal user's quota:
three servers, one private network, two floating IPs, two volumes and some object storage at the same time,
for each parallel suite.
Exit status: 0 when everything passed, 1 otherwise, 2 for a wrong command line."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for; sizes in bytes, times in seconds."""

    auth_url: str
    token: str
    ignore_ssl: bool
    suites: tuple[str, ...]
    excluded: tuple[str, ...]
    failfast: bool
    parallel: int
    ipv4_ping: bool
    ipv6: bool
    ssh: bool
    console: bool
    rescue: bool
    quota: bool
    action_timeout: float
    action_warning: float
    query_interval: float
    flavors: tuple[Choice, ...]
    volume_flavors: tuple[Choice, ...]
    images: tuple[Choice, ...]
    system_users: tuple[Choice, ...]
    detachable_type: str | None
    other_type: str | None
    show_stale: bool
    delete_stale: bool
    object_count: int
    object_min_size: int
    object_max_size: int
    command_prefix: tuple[str, ...]
    log_folder: Path
    temp_directory: Path
    verbosity: int
    colors: bool
    final_report_only: bool
    json_file: Path | None
    junit_file: Path | None


class _Choices(argparse.Action):
    """Collects ``name:…``/``id:…`` selectors, repeated or separated by commas."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[str] | None,
        option_string: str | None = None,
    ) -> None:
        text = str(values)
        if option_string in ("--system-images-user", "--image-id", "--force-flavor"):
            # The names of earlier versions took plain ids.
            text = "" if text == "all" else f"id:{text}"
        try:
            new = [parse_choice(part) for part in _split(text)]
        except ValueError as error:
            parser.error(f"{option_string}: {error}")
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), *new])


def _split(text: str) -> list[str]:
    """Split at commas that begin another selector, so that expressions may hold commas."""
    parts: list[str] = []
    for part in filter(None, text.split(",")):
        if parts and not part.strip().startswith(("name:", "id:")):
            parts[-1] += f",{part}"
        else:
            parts.append(part)
    return parts


def _seconds(text: str) -> float:
    value = float(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError("must be between 1 and 1000")
    return value


def _size(text: str) -> int:
    # "10MB" as the published page writes it; sizes are powers of 1024 everywhere in this project.
    try:
        return int(parse_size(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def build_parser() -> argparse.ArgumentParser:
    """The parser, with the names of earlier versions."""
    parser = argparse.ArgumentParser(
        prog="snf-burnin",
        description="Test a whole deployment as an ordinary user of it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_basics(parser)
    _add_checks(parser)
    _add_omissions(parser)
    _add_objects(parser)
    _add_output(parser)
    ignored = parser.add_argument_group("accepted and without effect")
    ignored.add_argument("--nofailfast", "-V", action="store_true", help=argparse.SUPPRESS)
    ignored.add_argument("--fanout", "--force-personality", help=argparse.SUPPRESS)
    return parser


def _add_basics(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--auth-url", required=True, metavar="URL", help="identity service, e.g. https://…/identity/v2.0")
    add("--token", default=os.environ.get("SNF_BURNIN_TOKEN"), help="the user's token")
    add("-k", "--ignore-ssl", action="store_true", help="do not verify TLS certificates")
    add(
        "--set-tests",
        type=_names,
        default=("all",),
        metavar="A,B",
        dest="suites",
        help="suites to run (default: all; none: only the search for leftovers); --list-tests shows them",
    )
    add(
        "--exclude-tests",
        "--skip",
        type=_names,
        default=(),
        metavar="A,B",
        dest="excluded",
        help="suites to leave out, e.g. those of services that this deployment does not offer",
    )
    add("--list-tests", action="store_true", help="print the suites and what each verifies, then stop")
    add("--failfast", action="store_true", help="stop at the first failure")
    add("--parallel", type=_count, default=1, metavar="N", help="suites at the same time (default: 1)")
    add("--show-stale", action="store_true", help="list what earlier runs left, and fail if there is any")
    add("--delete-stale", action="store_true", help="list it and remove it")


def _add_checks(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--action-timeout",
        "--build-fail",
        type=_seconds,
        default=420.0,
        metavar="S",
        help="most seconds for a change (default: 420)",
    )
    add(
        "--action-warning",
        "--build-warning",
        type=_seconds,
        default=180.0,
        metavar="S",
        help="seconds after which a change is called slow (180)",
    )
    add("--query-interval", type=_seconds, default=3.0, metavar="S", help="seconds between two looks (3)")
    add(
        "--flavors",
        "--force-flavor",
        action=_Choices,
        default=[],
        metavar="SELECTOR",
        help="flavors of the servers: name:<regex> or id:<id>, comma list (default: the smallest)",
    )
    add(
        "--volume-flavors",
        action=_Choices,
        default=[],
        metavar="SELECTOR",
        help="flavors of servers with volumes (default: one of each volume type)",
    )
    add(
        "--images",
        "--image-id",
        action=_Choices,
        default=[],
        metavar="SELECTOR",
        help="images of the servers; one ServerTestSuite for each (default: the first one listed)",
    )
    add(
        "--system-user",
        "--system-images-user",
        action=_Choices,
        default=[],
        metavar="SELECTOR",
        help="owner of the system images, by id: or name:",
    )
    add("--detachable-volume-type", metavar="ID", help="volume type whose volumes can move between servers")
    add("--non-detachable-volume-type", metavar="ID", help="volume type whose volumes stay on their server")


def _add_omissions(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--no-ipv6", action="store_true", help="skip checks of IPv6")
    add("--no-ipv4-ping", action="store_true", help="skip ping of servers (also without guests: a simulator)")
    add("--no-ssh", action="store_true", help="skip logins into servers and what is seen from inside")
    add("--no-console", action="store_true", help="skip the handshake with the servers' consoles")
    add("--no-rescue", action="store_true", help="skip the rescue mode")
    add(
        "--no-quota",
        action="store_true",
        help="skip the quota after each step (another program uses this account)",
    )
    add(
        "--command-prefix",
        default="",
        metavar="WORDS",
        help="run ping and ssh through this command, e.g. 'ip netns exec guests'",
    )


def _add_objects(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--obj-upload-num", type=_count, default=2, metavar="N", help="objects in the upload test (2)")
    add("--obj-upload-min-size", type=_size, default=10 << 20, metavar="SIZE", help="smallest of them (10MB)")
    add("--obj-upload-max-size", type=_size, default=20 << 20, metavar="SIZE", help="largest of them (20MB)")


def _add_output(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--log-folder",
        type=Path,
        default=Path("/var/log/burnin"),
        metavar="DIR",
        help="a log of every run, with each request and its id (/var/log/burnin)",
    )
    add(
        "--temp-directory",
        type=Path,
        default=Path(tempfile.gettempdir()),
        metavar="DIR",
        help="for passwords of ssh (/tmp)",
    )
    add(
        "-v",
        "--verbose",
        type=int,
        choices=range(4),
        default=1,
        help="0 failures, 1 steps, 2 waits, 3 requests",
    )
    add("--quiet", action="store_true", help="print nothing but the final report of failures")
    add("--final-report-only", action="store_true", help="print nothing until the end")
    add("--no-colors", action="store_true", help="plain text")
    add("--json", type=Path, metavar="FILE", help="write the results as JSON")
    add("--junit", type=Path, metavar="FILE", help="write the results as JUnit XML, for CI")


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; ends the program with status 2 when it is wrong."""
    parser = build_parser()
    given = parser.parse_args(arguments)
    if not given.token:
        parser.error("--token is required (or the environment variable SNF_BURNIN_TOKEN)")
    if given.obj_upload_min_size > given.obj_upload_max_size:
        parser.error("--obj-upload-min-size is larger than --obj-upload-max-size")
    return Options(
        auth_url=given.auth_url,
        token=given.token,
        ignore_ssl=given.ignore_ssl,
        suites=given.suites,
        excluded=given.excluded,
        failfast=given.failfast,
        parallel=given.parallel,
        ipv4_ping=not given.no_ipv4_ping,
        ipv6=not given.no_ipv6,
        ssh=not given.no_ssh,
        console=not given.no_console,
        rescue=not given.no_rescue,
        quota=not given.no_quota,
        action_timeout=given.action_timeout,
        action_warning=given.action_warning,
        query_interval=given.query_interval,
        flavors=tuple(given.flavors),
        volume_flavors=tuple(given.volume_flavors),
        images=tuple(given.images),
        system_users=tuple(given.system_user),
        detachable_type=given.detachable_volume_type,
        other_type=given.non_detachable_volume_type,
        show_stale=given.show_stale or given.delete_stale,
        delete_stale=given.delete_stale,
        object_count=given.obj_upload_num,
        object_min_size=given.obj_upload_min_size,
        object_max_size=given.obj_upload_max_size,
        command_prefix=tuple(shlex.split(given.command_prefix)),
        log_folder=given.log_folder,
        temp_directory=given.temp_directory,
        verbosity=0 if given.quiet else given.verbose,
        colors=not given.no_colors,
        final_report_only=given.final_report_only or given.quiet,
        json_file=given.json,
        junit_file=given.junit,
    )
