"""Profiles of users. Owns the PostgreSQL database 'profile'."""
