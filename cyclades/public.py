"""What others may ask of Cyclades."""

from __future__ import annotations

from cyclades.logic.registration import service_definitions

__all__ = ["service_definitions"]
