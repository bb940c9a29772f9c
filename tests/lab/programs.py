"""The programs that tests run again and again, each loaded once for a process of tests."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.lab.forked import Forked
from tests.lab.instance import LabError

#: Its commands are loaded by itself, once it knows about colours.
_KAMAKI = """
import kamaki.clients.astakos, kamaki.clients.cyclades, kamaki.clients.image, kamaki.clients.pithos
from kamaki.cli import run_one_cmd as main
"""

_OPENSTACK = """
import contextlib
from importlib.metadata import entry_points
import cliff.command
import dogpile.cache.backends.null
import keystoneauth1.loading
import keystoneclient.v3.client
import netrc
import openstack.connection
from openstackclient.shell import main

# The commands, and all that the client loads whatever it is to do.
for group in entry_points().groups:
    if group.startswith(("openstack.", "cliff.formatter")):
        for point in entry_points(group=group):
            with contextlib.suppress(ImportError):
                point.load()
keystoneauth1.loading.get_available_plugin_loaders()
# It reads the files of all installed packages to name the command's one in its help.
cliff.command._get_distributions_by_modules()
"""

_SWIFT = """
import netrc, sys
from swiftclient import shell

def main():
    # By itself it takes the words of the process that loaded it.
    return shell.main(sys.argv)
"""

_OS_PROVIDER = """
import sys
sys.path.insert(0, {project!r})
from gtools.osprovider.__main__ import main
"""
PROJECT = Path(__file__).resolve().parents[2]


def _loaded(python: str | Path, code: str, environment: dict[str, str]) -> Forked:
    program = Forked(python, code, environment=environment)
    atexit.register(program.stop)
    return program


@cache
def kamaki(program: Path) -> Forked:
    """The kamaki whose command is *program*."""
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONIOENCODING": "utf-8"}
    return _loaded(program.with_name("python"), _KAMAKI, environment)


@cache
def openstack() -> Forked:
    """The OpenStack command line client."""
    return _loaded(sys.executable, _OPENSTACK, dict(os.environ))


@cache
def swift() -> Forked:
    """The command line client of Swift."""
    return _loaded(sys.executable, _SWIFT, dict(os.environ))


@cache
def os_provider() -> Forked:
    """What the scripts of the OS definition call."""
    return _loaded(sys.executable, _OS_PROVIDER.format(project=str(PROJECT)), dict(os.environ))


def command_lines(*lines: Sequence[str], **login: str) -> list[str]:
    """Run lines of the OpenStack client one after the other and return what each prints.

    Keywords are its options, such as ``auth_url``; LabError when a line fails.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
    environment |= {f"OS_{name.upper()}": value for name, value in login.items()}
    printed = []
    for line in lines:
        result = openstack().run(["openstack", *line], environment=environment)
        if result.returncode:
            raise LabError(f"openstack {' '.join(line)}: status {result.returncode}\n{result.stderr}")
        printed.append(result.stdout)
    return printed
