"""What stops an action."""


class StorageError(Exception):
    """An action can't be done; Ganeti shows the text in its job."""
