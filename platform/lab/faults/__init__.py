"""Faults on demand. Each is declared once (catalog), and ends by itself (guardian)."""
