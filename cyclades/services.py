"""The services and resources that Cyclades registers about itself (compute contract 1.1 and 15)."""

from __future__ import annotations

from astakos.public import ResourceDefinition, ServiceDefinition

COMPONENT = "cyclades"

_HIDDEN = {"ui_visible": False, "api_visible": False}

SERVICES = (
    ServiceDefinition(
        name="cyclades_compute",
        type="compute",
        prefix="compute",
        endpoints=({"versionId": "v2.0"},),
        resources=(
            ResourceDefinition("cyclades.vm", "Number of virtual machines"),
            ResourceDefinition("cyclades.total_cpu", "Number of processors of all machines", **_HIDDEN),
            ResourceDefinition("cyclades.cpu", "Number of processors of running machines"),
            ResourceDefinition("cyclades.disk", "Size of virtual disks", "bytes"),
            ResourceDefinition("cyclades.total_ram", "Memory of all machines", "bytes", **_HIDDEN),
            ResourceDefinition("cyclades.ram", "Memory of running machines", "bytes"),
        ),
    ),
    ServiceDefinition(
        name="cyclades_network",
        type="network",
        prefix="network",
        endpoints=({"versionId": "v2.0", "SNF:exposeVersion": False},),
        resources=(
            ResourceDefinition("cyclades.network.private", "Number of private networks"),
            ResourceDefinition("cyclades.floating_ip", "Number of floating IP addresses"),
        ),
    ),
    ServiceDefinition(
        name="cyclades_plankton",
        type="image",
        prefix="image",
        endpoints=({"versionId": "v1.0", "SNF:exposeVersion": False},),
    ),
    ServiceDefinition(
        name="cyclades_vmapi", type="vmapi", prefix="vmapi", endpoints=({"versionId": "v1.0"},)
    ),
)
