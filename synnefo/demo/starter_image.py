"""A public image to start servers from, uploaded and registered as a user would do it.

Runs as a program once the web server is up: ``DIR upload URL``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx

_CONTAINER, _OBJECT = "images", "starter.diskdump"
#: The simulated cluster copies nothing, so a boot sector's worth of bytes will do.
_CONTENT = (b"Synnefo starter image\n" * 32).ljust(1 << 20, b"\0")


def upload(token: str, account: str, base_url: str) -> None:
    """Upload and register the image unless the account has it already."""
    with httpx.Client(headers={"X-Auth-Token": token}, timeout=30) as client:
        container = f"{base_url}/pithos/object-store/v1/{account}/{_CONTAINER}"
        if client.head(f"{container}/{_OBJECT}").status_code == httpx.codes.OK:
            return
        client.put(container).raise_for_status()
        client.put(
            f"{container}/{_OBJECT}", content=_CONTENT, headers={"Content-Type": "application/octet-stream"}
        ).raise_for_status()
        client.post(
            f"{base_url}/cyclades/image/v1.0/images/",
            headers={
                "X-Image-Meta-Name": "Starter",
                "X-Image-Meta-Location": f"pithos://{account}/{_CONTAINER}/{_OBJECT}",
                "X-Image-Meta-Is-Public": "True",
                "X-Image-Meta-Disk-Format": "diskdump",
                "X-Image-Meta-Container-Format": "bare",
                "X-Image-Meta-Property-OSFAMILY": "linux",
                "X-Image-Meta-Property-OS": "debian",
                "X-Image-Meta-Property-ROOT-PARTITION": "1",
            },
        ).raise_for_status()


def main() -> None:
    """Do what the command line says."""
    root = Path(sys.argv[1])
    users = json.loads((root / "users.json").read_text())
    token = users["admin_token"]
    identity = httpx.post(
        f"{sys.argv[3]}/astakos/identity/v2.0/tokens", json={"auth": {"token": {"id": token}}}, timeout=30
    )
    identity.raise_for_status()
    upload(token, identity.json()["access"]["user"]["id"], sys.argv[3])


if __name__ == "__main__":
    main()
