"""Settings of the feed API and its projector."""

from civildiy.chassis.observability.logging import LogSettings
from civildiy.chassis.settings import ServiceSettings


class FeedSettings(ServiceSettings):
    """For the API process."""

    redis_host: str
    redis_port: int = 6379
    kafka_bootstrap: str


class ProjectorSettings(LogSettings):
    """For the projector process, which serves no HTTP."""

    redis_host: str
    redis_port: int = 6379
    kafka_bootstrap: str
    projector_id: str


class ToolSettings(LogSettings):
    """For the tools that check and repair the view: short-lived processes, started by hand."""

    redis_host: str
    redis_port: int = 6379
    kafka_bootstrap: str
    mongodb_url: str
    mongodb_database: str = "posts"
