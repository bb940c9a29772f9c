"""Identity, quota and projects: who may do what, and how much of it."""
