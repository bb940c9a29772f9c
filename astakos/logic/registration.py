"""The services that this component registers about itself (identity contract 0.1, 2.3)."""

from __future__ import annotations

from django.conf import settings

from astakos.logic.resources import ResourceDefinition
from astakos.logic.services import ServiceDefinition

COMPONENT = "astakos"


def service_definitions() -> tuple[ServiceDefinition, ...]:
    """Return this component's services, for registration and export."""
    return (
        ServiceDefinition(
            name="astakos_account",
            type="account",
            prefix="account",
            endpoints=({"versionId": "v1.0"},),
            resources=(
                ResourceDefinition(
                    name="astakos.pending_app",
                    desc="Number of pending project applications",
                    ui_visible=False,
                    api_visible=False,
                ),
            ),
        ),
        ServiceDefinition(
            name="astakos_identity", type="identity", prefix="identity", endpoints=({"versionId": "v2.0"},)
        ),
        ServiceDefinition(
            name="astakos_weblogin",
            type="astakos_weblogin",
            prefix="weblogin",
            endpoints=({"versionId": ""},),
        ),
        ServiceDefinition(
            name="astakos_oauth2",
            type="astakos_auth",
            prefix=settings.OAUTH2_ENDPOINT_PREFIX.strip("/"),
            endpoints=({"versionId": ""},),
        ),
        ServiceDefinition(
            name="astakos_ui", type="astakos_ui", prefix="ui", public=False, endpoints=({"versionId": ""},)
        ),
        ServiceDefinition(
            name="astakos_admin",
            type="astakos_admin",
            prefix="admin",
            public=False,
            endpoints=({"versionId": ""},),
        ),
    )
