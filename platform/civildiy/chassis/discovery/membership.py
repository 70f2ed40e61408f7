"""A service's membership in the system: its entry in the catalog and its rules at the gateway."""

import logging
from collections.abc import Sequence
from threading import Event, Thread

import consul
import requests

from civildiy.chassis.cors import with_cors
from civildiy.chassis.discovery.gateway_rules import Route, RouteStore, rule_set
from civildiy.chassis.discovery.registry import Instance, Registry, stay_registered
from civildiy.chassis.retry import FailureLog
from civildiy.chassis.settings import ServiceSettings

log = logging.getLogger(__name__)

CONSUL_SECONDS = 2.0
"""The longest time for one answer of Consul: the agent is near, and the next check comes 2 s later."""
UNREACHABLE = (consul.ConsulException, requests.RequestException, OSError)


def consul_client(host: str, port: int) -> consul.Consul:
    """Return a client of the agent that neither waits for ever nor uses a proxy.

    Its calls raise consul.ConsulException and requests.RequestException.
    """
    client = consul.Consul(host=host, port=port, connections_timeout=CONSUL_SECONDS)
    client.http.session.trust_env = False
    return client


class Membership:
    """Registers the service when it listens, again when Consul has lost it, and deregisters it at the end."""

    def __init__(self, name: str, routes: Sequence[Route], settings: ServiceSettings) -> None:
        client = consul_client(settings.consul_host, settings.consul_port)
        self._registry = Registry(client)
        self._store = RouteStore(client, name)
        rules = rule_set(
            name,
            routes,
            secret=settings.gateway_secret.get_secret_value(),
            auth_check_url=settings.auth_check_url,
        )
        self._rules = with_cors(rules, name, settings.cors_origins)
        self.instance = Instance(
            service=name,
            id=settings.service_id or f"{name}-{settings.service_host}",
            host=settings.service_host,
            port=settings.service_port,
        )
        self._left = Event()
        self._thread = Thread(target=self._keep, name="membership", daemon=True)
        self._failures = FailureLog(log, UNREACHABLE)

    def join(self) -> None:
        """Start a thread that keeps this instance registered."""
        self._thread.start()

    def leave(self) -> None:
        """Deregister; blocks until Consul has answered or could not be reached."""
        self._left.set()
        self._thread.join(timeout=5)
        try:
            self._registry.deregister(self.instance.id)
        except Exception as error:  # the service ends all the same, and finishes what is in flight
            log.warning("not deregistered, Consul does not answer: %s", error)
        else:
            log.info("deregistered %s", self.instance.id)

    def _keep(self) -> None:
        stay_registered(
            self._registry,
            self.instance,
            self._left,
            on_look=self._reconcile_rules,
            on_missing=self._on_missing,
            on_error=self._on_error,
        )

    def _reconcile_rules(self) -> None:
        if self._store.publish(self._rules):
            log.info("published the gateway's rules of %s", self.instance.service)
        self._failures.succeeded()

    def _on_missing(self) -> None:
        log.info("registering %s", self.instance)

    def _on_error(self, error: Exception) -> None:
        unreachable = isinstance(error, UNREACHABLE)
        what = "Consul does not answer" if unreachable else "the catalog or the rules cannot be kept"
        self._failures.failed(what, error)
