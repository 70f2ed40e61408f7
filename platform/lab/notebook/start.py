"""Return the servers' addresses, and an account that is logged in, for code of your own.

`from lab.notebook import account, addresses` works in a notebook and in a script of your own, run with the
course's Python. Every other line of such a script can be an ordinary call of a client library.
"""

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lab.backends.settings import read
from lab.errors import LabError
from lab.notebook.people import Person
from lab.notebook.stack import address, backend
from lab.topology import OPTIONAL, SERVICES

NO_PROXY = ("NO_PROXY", "no_proxy")


@dataclass(frozen=True)
class Addresses:
    """Addresses of the running system, each in the form in which its client library takes it."""

    gateway: str
    """URL of Traefik, the entry point: httpx.Client(base_url=at.gateway)."""
    traefik: str
    """URL of Traefik's own API, which lists its routers."""
    auth: str
    """URL of one instance of a service, past the gateway; profile, posts and feed as well."""
    profile: str
    posts: str
    feed: str
    consul: str
    """URL of Consul's HTTP API."""
    consul_host: str
    consul_port: int
    """consul.Consul(host=at.consul_host, port=at.consul_port)."""
    kafka: str
    """host:port of the broker: the `bootstrap_servers` of a KafkaConsumer."""
    redis: str
    """redis.Redis.from_url(at.redis); database 0 holds the feed."""
    mongodb: str
    """pymongo.MongoClient(at.mongodb)."""
    postgresql: str = field(repr=False)
    """psycopg.connect(at.postgresql): the database `profile`, with its owner's password."""
    postgresql_auth: str = field(repr=False)
    """The same for the database `auth`."""

    @property
    def here(self) -> str:
        """An address of this machine on which your own program can listen so that the servers reach it."""
        return backend.listen_host()

    @property
    def metrics(self) -> str:
        """URL of VictoriaMetrics, which has Prometheus' API. Raises LabError without its option."""
        return _optional("metrics")

    @property
    def traces(self) -> str:
        """URL of Jaeger's query API. Raises LabError without its option."""
        return _optional("traces")


def addresses() -> Addresses:
    """Return the addresses of the running system, as this process reaches it.

    Example: `redis.Redis.from_url(addresses().redis).ping()`. Raises LabError without a system.
    """
    consul = urlsplit(address("consul"))
    found = Addresses(
        **{name: address(name) for name in ("gateway", "traefik", *SERVICES)},
        consul=address("consul"),
        consul_host=str(consul.hostname),
        consul_port=consul.port or 80,
        kafka=address("kafka"),
        redis=f"redis://{address('redis')}/0",
        # The replica set's own list of members holds names that only the units can resolve.
        mongodb=f"mongodb://{address('mongodb')}/?directConnection=true",
        postgresql=_postgresql("profile"),
        postgresql_auth=_postgresql("auth"),
    )
    web = [found.gateway, found.traefik, found.auth, found.profile, found.posts, found.feed, found.consul]
    web += [url for name, url in backend.endpoints().items() if name in OPTIONAL]
    _past_proxies({str(urlsplit(url).hostname) for url in web})
    return found


def account(name: str = "ada") -> Person:
    """Register a new account and log in.

    `.http` is an httpx.Client of the gateway that sends the account's token, `.id` its number, `.token`
    the token itself, and `.name` the name with an ending that no other account has.
    Example: `account("ada").http.get("/api/profile").status_code` is 404, as there is no profile yet.
    """
    return Person(name)


def _optional(name: str) -> str:
    option = OPTIONAL[name].option
    if url := backend.endpoints().get(name):
        return url
    raise LabError(
        f"The system runs without its option {option}. Start it again with the option; its data stays:"
        f" ./lab up --with {option}"
    )


def _postgresql(service: str) -> str:
    settings = read(service, backend.variables())
    user, password = settings["POSTGRES_USER"], settings["POSTGRES_PASSWORD"]
    host, port = settings["POSTGRES_HOST"], settings["POSTGRES_PORT"]
    return f"postgresql://{user}:{password}@{host}:{port}/{settings['POSTGRES_DATABASE']}"


def _past_proxies(hosts: set[str]) -> None:
    """Keep httpx and requests from sending the learner's requests to a proxy, which cannot reach them."""
    for variable in NO_PROXY:
        known = [host for host in os.environ.get(variable, "").split(",") if host]
        os.environ[variable] = ",".join([*known, *sorted(hosts - set(known))])
