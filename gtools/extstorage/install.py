"""Putting the provider into one of Ganeti's directories of ExtStorage providers."""

from __future__ import annotations

import shlex
from pathlib import Path

from gtools.extstorage.errors import StorageError

DEFINITION = Path(__file__).with_name("snffile")
SCRIPTS = ("create", "attach", "detach", "remove", "grow", "setinfo", "verify")
PYTHON_LINE = "python=/opt/synnefo/bin/python\n"
STORE_LINE = "export SNF_VOLUME_STORE=/srv/ganeti/snf-volumes\n"


def install(directory: str, python: str, *, store: str, python_path: str = "") -> None:
    """Copy the scripts to *directory*, whose name is the provider's.

    *python* is the absolute path of an interpreter that has this program, or finds it in *python_path*;
    *store* is the directory of the volumes, the same on all nodes.
    """
    for path in (python, store):
        if not Path(path).is_absolute():
            raise StorageError(f"{path} must be an absolute path")
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    line = f"python={shlex.quote(python)}\n"
    if python_path:
        line += f"export PYTHONPATH={shlex.quote(python_path)}\n"
    for name in SCRIPTS:
        text = (DEFINITION / "script").read_text().replace(PYTHON_LINE, line)
        text = text.replace(STORE_LINE, f"export SNF_VOLUME_STORE={shlex.quote(store)}\n")
        copy = target / name
        copy.write_text(text)
        copy.chmod(0o755)
    parameters = target / "parameters.list"
    parameters.write_text((DEFINITION / "parameters.list").read_text())
    parameters.chmod(0o644)
