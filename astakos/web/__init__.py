"""Pages of accounts, usage and projects (web contract 8 to 10)."""
