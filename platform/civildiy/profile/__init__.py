"""What people say about themselves. Owns the PostgreSQL database 'profile'."""
