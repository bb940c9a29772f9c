"""Synnefo: the Django project and the shared kernel of all services.

This package stays importable without Django, because the node daemons in ``gtools`` use
``synnefo.amqp`` and ``synnefo.messages``.
"""

__version__ = "1.0.0.dev0"
