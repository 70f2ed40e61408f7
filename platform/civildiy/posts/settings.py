"""Settings of the posts API and its relay."""

from pydantic_settings import BaseSettings, SettingsConfigDict

from civildiy.chassis.settings import ServiceSettings


class PostsSettings(ServiceSettings):
    """For the API process."""

    mongodb_url: str
    mongodb_database: str = "posts"


class RelaySettings(BaseSettings):
    """For the relay process, which serves no HTTP."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    mongodb_url: str
    mongodb_database: str = "posts"
    kafka_bootstrap: str
    relay_id: str
    log_level: str = "INFO"
