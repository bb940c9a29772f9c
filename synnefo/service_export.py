"""``snf-service-export COMPONENT BASE_URL``: a standard component's services for ``service-import``.

Needs neither this host's settings nor a database: the document depends on the address only
(administrator's contract 6.1).
"""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.parse import urlsplit

COMPONENTS = ("astakos", "cyclades", "pithos")
_USAGE = f"Usage: snf-service-export {'|'.join(COMPONENTS)} BASE_URL\n"
_NOWHERE = "/nonexistent"


class ExportError(Exception):
    """The document could not be made; the text says why."""


def export(component: str, base_url: str) -> str:
    """Return the JSON document about *component* at *base_url*; raises ``ExportError``."""
    if component not in COMPONENTS:
        raise ExportError("Unrecognized component")
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ExportError(f"'{base_url}' is no address such as https://node1.example.com/{component}")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SNF_")}
    environment |= {
        "DJANGO_SETTINGS_MODULE": "synnefo.settings",
        "SYNNEFO_SETTINGS_DIR": _NOWHERE,
        f"SNF_{component.upper()}_BASE_URL": base_url.rstrip("/"),
        # Otherwise every export would leave a file among the command logs.
        "SNF_LOGGER_EXCLUDE_COMMANDS": ".*",
    }
    command = [sys.executable, "-m", "synnefo.cli", f"service-export-{component}"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ExportError(result.stderr.strip() or "The export failed")
    return result.stdout


def main() -> int:
    """Print the document that the command line asks for; 1 when it asks for nothing there is."""
    if len(sys.argv) != 3:
        sys.stderr.write(_USAGE)
        return 1
    try:
        sys.stdout.write(export(sys.argv[1], sys.argv[2]))
    except ExportError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
