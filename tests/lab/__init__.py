"""Private instances of the real components, started for tests and stopped after them.

Every instance lives in its own directory of the lab's registry (:mod:`tests.lab.instance`), listens
on free ports of the loopback address or inside its own namespaces, and is stopped by process id.
"""
