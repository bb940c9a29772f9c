"""The database engine of every PostgreSQL connection; settings put it in place of Django's own."""

from __future__ import annotations

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper; tells a connection that the server closed from one that waits.

    Connections live longer than a request, so each request asks whether its connection still works. Between
    requests a server says nothing, unless it says good-bye: silence means it is usable, and only something to
    read needs the statement that Django would send every time.
    """

    def is_usable(self) -> bool:
        """Tell whether the connection can be used for the next request."""
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN | select.POLLERR | select.POLLHUP)
        return True if not poll.poll(0) else bool(super().is_usable())
