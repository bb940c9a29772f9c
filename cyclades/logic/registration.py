"""What identity has to know of Cyclades: its services and resources (administrator's contract 6.1)."""

from __future__ import annotations

from astakos.public import ResourceDefinition, ServiceDefinition

COMPONENT = "cyclades"


def _hidden(name: str, desc: str, unit: str | None = None) -> ResourceDefinition:
    return ResourceDefinition(name, desc, unit, ui_visible=False, api_visible=False)


_COMPUTE_RESOURCES = (
    ResourceDefinition("cyclades.vm", "Number of virtual machines"),
    _hidden("cyclades.total_cpu", "Number of virtual processors of all machines"),
    ResourceDefinition("cyclades.cpu", "Number of virtual processors of running machines"),
    _hidden("cyclades.total_ram", "Memory of all machines", "bytes"),
    ResourceDefinition("cyclades.ram", "Memory of running machines", "bytes"),
    ResourceDefinition("cyclades.disk", "Disk space of virtual machines", "bytes"),
)
_NETWORK_RESOURCES = (
    ResourceDefinition("cyclades.network.private", "Number of private networks"),
    ResourceDefinition("cyclades.floating_ip", "Number of floating IP addresses"),
)


def service_definitions() -> tuple[ServiceDefinition, ...]:
    """Return the services for registration; clients rely on one endpoint for each type."""
    return (
        ServiceDefinition(
            name="cyclades_compute",
            type="compute",
            prefix="compute",
            endpoints=({"versionId": "v2.0", "SNF:exposeVersion": True},),
            resources=_COMPUTE_RESOURCES,
        ),
        ServiceDefinition(
            name="cyclades_network",
            type="network",
            prefix="network",
            endpoints=({"versionId": "v2.0", "SNF:exposeVersion": False},),
            resources=_NETWORK_RESOURCES,
        ),
        ServiceDefinition(
            name="cyclades_plankton",
            type="image",
            prefix="image",
            endpoints=({"versionId": "v1.0", "SNF:exposeVersion": False},),
        ),
        ServiceDefinition(
            name="cyclades_volume",
            type="volume",
            prefix="volume",
            endpoints=({"versionId": "v2.0", "SNF:exposeVersion": False},),
        ),
        ServiceDefinition(
            name="cyclades_vmapi",
            type="vmapi",
            prefix="vmapi",
            endpoints=({"versionId": "v1.0", "SNF:exposeVersion": True},),
        ),
    )
