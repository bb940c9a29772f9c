"""Configuration files for clients, made for one user (web contract 8, A-12)."""

from __future__ import annotations

import configparser
import io
import shlex
from dataclasses import dataclass

import yaml
from django.conf import settings

from astakos.logic.catalog import service_catalog
from astakos.logic.tokens import user_token
from astakos.models import User

_REGION = "default"
_ASK = """printf 'API token: '
stty -echo 2>/dev/null
read -r OS_TOKEN_INPUT
stty echo 2>/dev/null
echo
"""


@dataclass(frozen=True, slots=True)
class ClientFile:
    """A file to download."""

    name: str
    content_type: str
    content: str


def auth_url() -> str:
    """Return the address every client starts from: the public one of the identity service."""
    return _public_url("identity") or f"{settings.ASTAKOS_BASE_URL.rstrip('/')}/identity/v2.0"


def _public_url(kind: str) -> str:
    for service in service_catalog():
        if service["type"] == kind and service["endpoints"]:
            return str(service["endpoints"][0].get("publicURL", "")).rstrip("/")
    return ""


def cloud_name() -> str:
    """Return what clients call this cloud."""
    chosen: str | None = settings.ASTAKOS_KAMAKI_CONFIG_CLOUD_NAME
    name = chosen or str(settings.BRANDING_SERVICE_NAME).lower().replace(" ", "_")
    # The name becomes a section of files in which these would end it.
    return "".join(char for char in name if char.isprintable() and char not in '"[]\\') or "cloud"


def kamakirc(user: User) -> ClientFile:
    """Return kamaki's configuration with the user's token."""
    name = cloud_name()
    content = (
        f"[global]\ndefault_cloud = {name}\n\n"
        f'[cloud "{name}"]\nurl = {auth_url()}\ntoken = {user_token(user)}\n'
    )
    return ClientFile(".kamakirc", "text/plain; charset=utf-8", content)


def clouds_yaml(user: User) -> ClientFile:
    """Return the OpenStack clients' configuration: by token, and with the token as a password.

    The first logs in through v3, whose catalog has the addresses that today's clients speak to.
    """
    name, token = cloud_name(), user_token(user)
    project = user.default_project or user.uuid
    clouds = {
        name: {
            "auth_type": "v3token",
            "auth": {
                "auth_url": f"{auth_url().removesuffix('/v2.0')}/v3",
                "token": token,
                "project_id": project,
            },
            "region_name": _REGION,
            "identity_api_version": 3,
        },
        f"{name}-password": {
            "auth_type": "v2password",
            "auth": {"auth_url": auth_url(), "username": user.uuid, "password": token, "tenant_id": project},
            "region_name": _REGION,
            "identity_api_version": 2,
        },
    }
    content = yaml.safe_dump({"clouds": clouds}, sort_keys=False, allow_unicode=True)
    return ClientFile("clouds.yaml", "application/yaml; charset=utf-8", content)


def openrc(user: User, *, with_token: bool = False) -> ClientFile:
    """Return a shell script that prepares OpenStack's clients; it asks for the token unless *with_token*."""
    token = shlex.quote(user_token(user)) if with_token else '"$OS_TOKEN_INPUT"'
    ask = "" if with_token else _ASK
    project = user.default_project or user.uuid
    content = (
        f"{ask}export OS_AUTH_TYPE=v2password\n"
        f"export OS_AUTH_URL={shlex.quote(auth_url())}\n"
        "export OS_IDENTITY_API_VERSION=2\n"
        f"export OS_USERNAME={user.uuid}\n"
        f"export OS_PASSWORD={token}\n"
        f"export OS_TENANT_ID={shlex.quote(project)}\n"
        f"export OS_REGION_NAME={_REGION}\n"
    )
    return ClientFile("openrc.sh", "text/x-shellscript; charset=utf-8", content)


def rclone_conf(user: User) -> ClientFile:
    """Return rclone's configuration of the object storage.

    The catalog of v2 has no account in its addresses, where rclone wants one: it is told.
    """
    config = configparser.RawConfigParser()
    config[cloud_name()] = {
        "type": "swift",
        "env_auth": "false",
        "auth_version": "2",
        "auth": auth_url(),
        "user": user.uuid,
        "key": user_token(user),
        "tenant": user.default_project or user.uuid,
        "region": _REGION,
        "storage_url": f"{_public_url('object-store')}/AUTH_{user.uuid}",
    }
    text = io.StringIO()
    config.write(text)
    return ClientFile("rclone.conf", "text/plain; charset=utf-8", text.getvalue())
