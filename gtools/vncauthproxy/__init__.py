"""The console proxy: lends a running instance's screen to whoever knows a password (compute contract 8.3)."""
