"""The SSH keys of the web interface (compute contract 12.2)."""
