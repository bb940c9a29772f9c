"""Running the node's disk tools: bounded, without a shell, with their complaints in the error."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from gtools.osprovider.errors import DeployError

TOOL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SECONDS = 600.0


def find(name: str) -> str | None:
    """Return a tool's path, None if the node lacks it."""
    return shutil.which(name, path=TOOL_PATH)


def _environment() -> dict[str, str]:
    """A clean environment: a deployment's holds secrets. libguestfs is configured by variables of its own."""
    own = {name: value for name, value in os.environ.items() if name.startswith("LIBGUESTFS_")}
    return {"PATH": TOOL_PATH, "LC_ALL": "C", "HOME": "/root", **own}


def run(
    arguments: Sequence[str],
    *,
    input_text: str | None = None,
    seconds: float = DEFAULT_SECONDS,
    accepted: Sequence[int] = (0,),
) -> str:
    """Run a tool and return its output; raise `DeployError` when it fails, hangs or is missing.

    Arguments show in the process list, so secrets go in through ``input_text`` only.
    """
    path = find(arguments[0])
    if path is None:
        raise DeployError(f"the node lacks the program {arguments[0]}")
    try:
        result = subprocess.run(
            [path, *arguments[1:]],
            input=input_text if input_text is not None else "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            env=_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DeployError(f"{arguments[0]} took longer than {seconds:.0f} s") from None
    if result.returncode not in accepted:
        complaint = (result.stderr.strip() or result.stdout.strip())[-400:]
        raise DeployError(f"{arguments[0]} failed ({result.returncode}): {complaint}")
    return result.stdout
