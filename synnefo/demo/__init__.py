"""``make run``: a whole cloud on one machine, without root, on embedded defaults."""
