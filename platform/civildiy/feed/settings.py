"""Settings of the feed API and its projector."""

from pydantic_settings import BaseSettings, SettingsConfigDict

from civildiy.chassis.settings import ServiceSettings


class FeedSettings(ServiceSettings):
    """For the API process."""

    redis_host: str
    redis_port: int = 6379
    kafka_bootstrap: str


class ProjectorSettings(BaseSettings):
    """For the projector process, which serves no HTTP."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    redis_host: str
    redis_port: int = 6379
    kafka_bootstrap: str
    projector_id: str
    log_level: str = "INFO"


class ToolSettings(BaseSettings):
    """For the tools that check, repair and feed the view: short-lived processes, started by hand."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    redis_host: str
    redis_port: int = 6379
    kafka_bootstrap: str
    mongodb_url: str
    mongodb_database: str = "posts"
    log_level: str = "INFO"
