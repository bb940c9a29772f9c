"""Putting the OS definition into Ganeti's OS directory."""

from __future__ import annotations

import shlex
from pathlib import Path

from gtools.osprovider.errors import DeployError
from gtools.osprovider.node_config import FILE_VARIABLE

DEFINITION = Path(__file__).with_name("snf-image")
SCRIPTS = ("create", "import", "export", "rename", "verify")
PYTHON_LINE = "python=/opt/synnefo/bin/python\n"


def install(directory: str, python: str, python_path: str = "", defaults: str = "") -> None:
    """Copy scripts and lists to a directory, with the interpreter that runs the scripts.

    python: absolute path of an interpreter that has this program.
    python_path: where that interpreter finds the program, if it is not installed in it.
    defaults: the node's configuration file, if not /etc/default/snf-image.
    """
    if not Path(python).is_absolute():
        raise DeployError("the interpreter must be an absolute path")
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    target.chmod(0o755)
    line = f"python={shlex.quote(python)}\n"
    if python_path:
        line += f"export PYTHONPATH={shlex.quote(python_path)}\n"
    if defaults:
        line += f"export {FILE_VARIABLE}={shlex.quote(defaults)}\n"
    for source in sorted(DEFINITION.iterdir()):
        text = source.read_text()
        if source.name in SCRIPTS:
            text = text.replace(PYTHON_LINE, line)
        copy = target / source.name
        copy.write_text(text)
        copy.chmod(0o755 if source.name in SCRIPTS else 0o644)
