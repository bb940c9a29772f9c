"""Gunicorn settings of a Synnefo web host: ``gunicorn -c conf/gunicorn.conf.py synnefo.wsgi``.

Threads, not only processes, because uploads and downloads of large objects wait for the network.
"""

import gc
import multiprocessing
import os

from synnefo.gunicorn_hooks import on_reload, pre_request, when_ready

# What is loaded from now on stays: the collector has nothing to look for until when_ready.
gc.disable()

bind = os.environ.get("SYNNEFO_BIND", "127.0.0.1:8080")
# Threads that cut off clients which dawdle. Environment, with seconds where nothing else is said:
# SYNNEFO_HEAD_SECONDS (20) for a request's line and headers, SYNNEFO_SILENCE_SECONDS (60) without anything
# sent or received, SYNNEFO_BODY_SECONDS (60) of waiting for a body, of which every SYNNEFO_BODY_RATE (500)
# bytes give one back.
worker_class = "synnefo.gunicorn_worker.Worker"
workers = int(os.environ.get("SYNNEFO_WORKERS", str(multiprocessing.cpu_count())))
# Workers are forked from a master that has loaded everything: they share its memory, and begin at once.
# SIGHUP loads code and settings anew.
preload_app = True
threads = int(os.environ.get("SYNNEFO_THREADS", "16"))
timeout = 120
graceful_timeout = 30
keepalive = 15
# Underscored header names are kept by the parser and sorted out in pre_request.
header_map = "dangerous"
limit_request_line = 8190
limit_request_fields = 200
limit_request_field_size = 16380
accesslog = None
# Its default place is one file for all servers of a user.
control_socket_disable = True

__all__ = ["on_reload", "pre_request", "when_ready"]
