"""Why a disk could not be copied."""

from __future__ import annotations


class SnapshotError(Exception):
    """The copy failed for good; the text is for the user's administrator."""


class DiskChanged(SnapshotError):
    """The instance was started or stopped meanwhile: what was read is no state that the disk ever had."""
