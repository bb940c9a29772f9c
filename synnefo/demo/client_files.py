"""What the demo hands to its user: client configurations, credentials and a few words."""

from __future__ import annotations

import json
from collections.abc import Mapping

from synnefo.demo.layout import Layout, write_private


def write_client_files(layout: Layout, credentials: Mapping[str, str]) -> None:
    """Write ``credentials.json``, ``kamakirc`` and ``clouds.yaml`` into the data directory."""
    write_private(layout.root / "credentials.json", json.dumps(dict(credentials), indent=2) + "\n")
    write_private(
        layout.root / "kamakirc",
        "# Kamaki configuration file v0.16\n"
        "[global]\n"
        "default_cloud = demo\n"
        # Everything is plain HTTP on this machine, so there is no certificate to check.
        "ignore_ssl = on\n"
        "\n"
        '[cloud "demo"]\n'
        f"url = {credentials['auth_url']}\n"
        f"token = {credentials['token']}\n",
    )
    write_private(
        layout.root / "clouds.yaml",
        "clouds:\n"
        "  demo:\n"
        "    auth_type: v3password\n"
        "    identity_api_version: '3'\n"
        "    region_name: default\n"
        "    auth:\n"
        # The address without a version: these clients find v3, and with it their profile of compute.
        f"      auth_url: {credentials['auth_url'].removesuffix('/v2.0')}\n"
        f"      user_id: {credentials['user_uuid']}\n"
        f"      password: {credentials['token']}\n"
        f"      project_id: {credentials['user_uuid']}\n",
    )


def banner(layout: Layout, credentials: Mapping[str, str]) -> str:
    """Return what is printed once the cloud is up."""
    root = layout.root
    return f"""
Your cloud is running at {layout.base_url}/        (Ctrl-C stops it; the data stays in {root})

  Dashboard       {layout.base_url}/astakos/ui/        (sign in with the user's e-mail address and password)
  Identity        {credentials["auth_url"]}
  Object storage  {layout.base_url}/pithos/object-store/v1
  Compute         {layout.base_url}/cyclades/compute/v2.0
  Network         {layout.base_url}/cyclades/network/v2.0
  Images          {layout.base_url}/cyclades/image/v1.0
  Volumes         {layout.base_url}/cyclades/volume/v2.0

  User            {credentials["email"]}  password {credentials["password"]}
                  uuid {credentials["user_uuid"]}
  Administrator   {credentials["admin_email"]}  password {credentials["admin_password"]}

Try it, in another terminal:
  curl    export T=$(python3 -c 'import json; print(json.load(open("{root}/credentials.json"))["token"])')
          curl -s -H "X-Auth-Token: $T" {layout.base_url}/astakos/account/v1.0/quotas
          curl -s -H "X-Auth-Token: $T" {layout.base_url}/cyclades/compute/v2.0/flavors
  kamaki  kamaki -c {root}/kamakirc user info
          kamaki -c {root}/kamakirc quota list
          kamaki -c {root}/kamakirc server list
  openstack
          OS_CLIENT_CONFIG_FILE={root}/clouds.yaml openstack --os-cloud demo flavor list
  administrator
          SYNNEFO_SETTINGS_DIR={layout.settings_dir} .venv/bin/snf-manage server-list
"""
