"""Accounts and tokens. Owns the PostgreSQL database 'auth'."""
