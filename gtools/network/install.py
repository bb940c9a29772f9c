"""Putting the scripts where Ganeti looks for them (ganeti-backend contract 8)."""

from __future__ import annotations

import shlex
from pathlib import Path

from gtools.network.errors import NetworkError
from gtools.network.node_config import FILE_VARIABLE
from gtools.network.records import STATE_DIRECTORY

VIF_SCRIPT = "kvm-vif-bridge"
#: After these operations filters may be out of date, or a device may have vanished.
HOOKS = (
    "instance-modify",
    "instance-start",
    "instance-stop",
    "instance-reboot",
    "instance-migrate",
    "instance-failover",
    "instance-remove",
)
#: Ganeti runs only hooks whose names have no dot.
HOOK_NAME = "snf-network"


def install(directory: str, python: str, python_path: str = "", defaults: str = "") -> list[Path]:
    """Write the interface script and the hooks; return their paths.

    directory: Ganeti's configuration directory, /etc/ganeti.
    python: absolute path of an interpreter that has this program.
    python_path: where that interpreter finds the program, if it is not installed in it.
    defaults: the node's settings file, if not /etc/default/snf-network.
    """
    if not Path(python).is_absolute():
        raise NetworkError("the interpreter must be an absolute path")
    target = Path(directory)
    lines = ["#!/bin/sh"]
    if python_path:
        lines.append(f"export PYTHONPATH={shlex.quote(python_path)}")
    if defaults:
        lines.append(f"export {FILE_VARIABLE}={shlex.quote(defaults)}")
    start = "\n".join(lines)
    paths = [target / VIF_SCRIPT]
    _write(paths[0], f"{start}\nexec {shlex.quote(python)} -m gtools.network ifup\n")
    # Most hooks on most nodes have nothing to do: seen without starting an interpreter.
    start += f"\n[ -d {STATE_DIRECTORY}/nics ] || exit 0"
    for operation in HOOKS:
        path = target / "hooks" / f"{operation}-post.d" / HOOK_NAME
        _write(path, f"{start}\nexec {shlex.quote(python)} -m gtools.network hook\n")
        paths.append(path)
    return paths


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
