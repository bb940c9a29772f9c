"""First content of the lab's cloud: services, users, flavors. Prints the users' credentials as JSON.

Runs as a program with the cloud's settings. Cluster and network are added by ``snf-manage`` afterwards, as
an administrator would.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import secrets

import django
from django.conf import settings

_SERVICES = ("astakos", "pithos", "cyclades")
#: CPUs, MiB of memory and GiB of disk; the lab's guests are small.
_FLAVORS = ((1, 128, 1), (1, 256, 2), (2, 512, 4))


def _register_services() -> None:
    from astakos import public as astakos

    for name in _SERVICES:
        base_url = getattr(settings, f"{name.upper()}_BASE_URL")
        if name == "astakos":
            definitions = astakos.service_definitions()
        elif importlib.util.find_spec(f"{name}.services") is not None:
            definitions = importlib.import_module(f"{name}.services").SERVICES
        else:
            definitions = (_object_store(),)
        astakos.register_component(
            name=name, base_url=base_url, ui_url=f"{base_url}/ui", services=definitions
        )


def _object_store() -> object:
    from astakos.public import ResourceDefinition, ServiceDefinition

    return ServiceDefinition(
        name="pithos_object-store",
        type="object-store",
        prefix="object-store",
        endpoints=({"versionId": "v1"},),
        resources=(ResourceDefinition("pithos.diskspace", "Object storage space", "bytes"),),
    )


def _create_flavors() -> None:
    from cyclades.logic import flavors, volume_types
    from synnefo.credentials import Credentials

    administrator = Credentials.administrator()
    kind = volume_types.for_template(administrator, disk_template="file")
    for cpu, ram, disk in _FLAVORS:
        size = flavors.FlavorSize(cpu=cpu, ram=ram, disk=disk, volume_type=kind)
        flavors.create_flavor(administrator, size=size)


def _create_users() -> dict[str, str]:
    from astakos.public import create_user

    demo, admin = (secrets.token_urlsafe(12) for _ in range(2))
    user = create_user(email="demo@lab.test", password=demo, first_name="Demo", last_name="User")
    create_user(email="admin@lab.test", password=admin, first_name="Admin", last_name="User", admin=True)
    return {
        "token": user.token,
        "user_uuid": user.uuid,
        "email": "demo@lab.test",
        "password": demo,
        "admin_email": "admin@lab.test",
        "admin_password": admin,
    }


def main() -> None:
    """Fill an empty database."""
    django.setup()
    _register_services()
    _create_flavors()
    print(json.dumps(_create_users()))


if __name__ == "__main__":
    main()
