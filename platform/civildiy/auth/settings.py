"""Settings of auth."""

from civildiy.chassis.settings import Secret, ServiceSettings


class AuthSettings(ServiceSettings):
    """For the API process."""

    postgres_host: str
    postgres_port: int = 5432
    postgres_database: str
    postgres_user: str
    postgres_password: Secret
    signing_key_passphrase: Secret
    """Encrypts the private signing keys where they are stored."""
    token_issuer: str
    token_audience: str
    token_seconds: int = 3600
