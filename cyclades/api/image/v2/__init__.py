"""Glance's second dialect over the same images (image contract 11)."""
