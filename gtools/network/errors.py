"""What stops the programs of a node's guest network."""


class NetworkError(Exception):
    """The text names the wrong value or the command that failed."""
