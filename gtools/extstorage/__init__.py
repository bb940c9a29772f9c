"""The ExtStorage provider ``snffile``: volumes as files of a directory that nodes share.

It is what makes volumes leave one server and join another on Ganeti as it is: a volume is known by its name
in Cyclades, ``keep_data`` lets it survive its removal from an instance, ``reuse_data`` gives it to the next.
"""
