"""Settings of profile."""

from civildiy.chassis.settings import Secret, ServiceSettings


class ProfileSettings(ServiceSettings):
    """For the API process."""

    postgres_host: str
    postgres_port: int = 5432
    postgres_database: str
    postgres_user: str
    postgres_password: Secret
