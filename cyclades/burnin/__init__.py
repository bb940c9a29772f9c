"""``snf-burnin``: an acceptance test of a deployment, run by an ordinary user (administration contract 6.3).

A program of its own: it speaks to the deployment only through its public APIs, its consoles and the addresses
of its servers, and needs neither Django nor the deployment's settings.
"""
