"""What the scripts of the OS definition call: ``python -m gtools.osprovider ACTION``."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from gtools.osprovider import node_config, parameters
from gtools.osprovider.deploy import Deployment
from gtools.osprovider.errors import DeployError
from gtools.osprovider.install import install
from gtools.osprovider.progress import Progress

logger = logging.getLogger("snf-image")

COPY_BYTES = 4 * 1024 * 1024


def create(environment: Mapping[str, str]) -> None:
    """Deploy the image on the instance's first disk."""
    instance = _required(environment, "INSTANCE_NAME")
    config = node_config.load(environment.get(node_config.FILE_VARIABLE))
    progress = Progress(config.progress_monitor, instance)
    try:
        if environment.get("DISK_COUNT", "1") == "0":
            raise DeployError("the instance has no disk to put an image on")
        client = parameters.ConfigClient(config.config_ca_file)
        deployment = Deployment(
            instance=instance,
            disk_path=_required(environment, "DISK_0_PATH"),
            parameters=parameters.from_environment(environment, client.fetch),
            config=config,
            progress=progress,
        )
        deployment.run()
    except DeployError as error:
        progress.error(str(error))
        raise
    except OSError as error:
        text = f"{error.strerror or error}: {error.filename or ''}"
        progress.error(text)
        raise DeployError(text) from error
    except Exception as error:
        # The server's owner must learn of the failure even when it is our own mistake.
        progress.error(f"the image provider failed: {type(error).__name__}")
        raise
    finally:
        progress.close()


def verify(environment: Mapping[str, str]) -> None:
    """Check the parameters as far as they are known: most come later through config_url."""
    if environment.get("OSP_IMG_ID"):
        parameters.from_environment(environment)


def rename(environment: Mapping[str, str]) -> None:
    """Nothing to do: the guest keeps its own idea of its name."""


def export(environment: Mapping[str, str]) -> None:
    """Write the disk that is exported to standard output."""
    with open(_required(environment, "EXPORT_DEVICE"), "rb") as disk:
        shutil.copyfileobj(disk, sys.stdout.buffer, COPY_BYTES)
    sys.stdout.buffer.flush()


def import_disk(environment: Mapping[str, str]) -> None:
    """Read the disk that is imported from standard input."""
    with open(_required(environment, "IMPORT_DEVICE"), "r+b") as disk:
        shutil.copyfileobj(sys.stdin.buffer, disk, COPY_BYTES)
        disk.flush()
        os.fsync(disk.fileno())


ACTIONS: Mapping[str, Callable[[Mapping[str, str]], None]] = {
    "create": create,
    "import": import_disk,
    "export": export,
    "rename": rename,
    "verify": verify,
}


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise DeployError(f"Ganeti did not set {name}")
    return value


def _end(number: int, frame: FrameType | None) -> None:
    # As an exception, so that mounts and loop devices are given back.
    raise SystemExit(128 + number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one action of the OS definition, or install it."""
    parser = argparse.ArgumentParser(prog="gtools.osprovider", description="OS definition snf-image")
    actions = parser.add_subparsers(dest="action", required=True)
    for name in ACTIONS:
        actions.add_parser(name, help=f"the OS definition's {name} script")
    installer = actions.add_parser("install", help="put the OS definition where Ganeti looks for it")
    installer.add_argument("directory", help="e.g. /usr/share/ganeti/os/snf-image")
    installer.add_argument("--python", default=sys.executable, help="interpreter that has this program")
    installer.add_argument("--python-path", default="", help="PYTHONPATH for a program that is not installed")
    installer.add_argument("--defaults", default="", help=f"instead of {node_config.DEFAULT_FILE}")
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="snf-image: %(levelname)s %(message)s")
    os.umask(0o077)
    signal.signal(signal.SIGTERM, _end)
    try:
        if options.action == "install":
            install(options.directory, options.python, options.python_path, options.defaults)
        else:
            ACTIONS[options.action](os.environ)
    except (DeployError, OSError) as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
