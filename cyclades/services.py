"""The services that Cyclades registers about itself."""

from cyclades.logic.registration import COMPONENT, service_definitions

SERVICES = service_definitions()

__all__ = ["COMPONENT", "SERVICES"]
