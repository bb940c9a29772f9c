"""What identity has to know of object storage: its services and resources (object-storage contract 1)."""

from __future__ import annotations

from astakos.public import ResourceDefinition, ServiceDefinition

DISKSPACE = ResourceDefinition("pithos.diskspace", "Space for objects", "bytes")


def service_definitions() -> tuple[ServiceDefinition, ...]:
    """Return the services for registration; clients rely on object storage having exactly one endpoint."""
    return (
        ServiceDefinition(
            name="pithos_object-store",
            type="object-store",
            prefix="object-store",
            endpoints=({"versionId": "v1", "SNF:exposeVersion": True},),
            resources=(DISKSPACE,),
        ),
        ServiceDefinition(
            name="pithos_public",
            type="pithos_public",
            prefix="public",
            public=False,
            endpoints=({"versionId": "", "SNF:exposeVersion": False},),
        ),
        ServiceDefinition(
            name="pithos_ui",
            type="pithos_ui",
            prefix="ui",
            public=False,
            endpoints=({"versionId": "", "SNF:exposeVersion": False},),
        ),
    )
