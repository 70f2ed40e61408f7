"""Settings of the posts API and its relay."""

from civildiy.chassis.observability.logging import LogSettings
from civildiy.chassis.settings import ServiceSettings


class PostsSettings(ServiceSettings):
    """For the API process."""

    mongodb_url: str
    mongodb_database: str = "posts"


class RelaySettings(LogSettings):
    """For the relay process, which serves no HTTP."""

    mongodb_url: str
    mongodb_database: str = "posts"
    kafka_bootstrap: str
    relay_id: str
