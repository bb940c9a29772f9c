"""Numbers for administrators (compute contract 18.3)."""
