"""The image dialect (image contract)."""
