"""The OS definition ``snf-image``: puts an image on an instance's disk and makes it the user's own.

Ganeti runs it as root on the node (ganeti-backend contract 3.2, 7; image contract 7).
"""
