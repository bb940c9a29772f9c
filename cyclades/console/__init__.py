"""Asking a console proxy for a server's screen. Imports no Django."""
