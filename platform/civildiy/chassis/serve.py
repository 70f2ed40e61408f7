"""Run one service: `python -m civildiy profile`.

The order matters at the start and at the end. A service first listens and then registers; in the other order,
the gateway would send requests to a closed port. On SIGTERM it first deregisters, then gives the gateway time
to notice, and only then finishes its last requests and closes the port.
"""

import asyncio
import importlib
import logging
import sys
from dataclasses import dataclass
from socket import socket

import uvicorn
from fastapi import FastAPI

from civildiy.chassis.collector import settle
from civildiy.chassis.discovery.gateway_rules import Route
from civildiy.chassis.discovery.membership import Membership
from civildiy.chassis.observability import telemetry
from civildiy.chassis.observability.logging import configure_logging
from civildiy.chassis.protocol import ProblemProtocol
from civildiy.chassis.settings import ServiceSettings

KEEP_ALIVE_SECONDS = 120
"""Longer than the gateway's 90 s, so that the gateway closes an idle connection first. If the service did,
the gateway might send a request at that moment; it would be lost, and its client would get 502."""


@dataclass(frozen=True)
class Service:
    """The parts of a service, as `civildiy.<name>.app:service()` returns them."""

    name: str
    app: FastAPI
    routes: tuple[Route, ...]
    settings: ServiceSettings


class RegisteredServer(uvicorn.Server):
    """A uvicorn server that is registered in Consul while it listens."""

    def __init__(self, config: uvicorn.Config, membership: Membership, drain_seconds: float) -> None:
        super().__init__(config)
        self._membership = membership
        self._drain_seconds = drain_seconds
        self._watching: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen, then register."""
        await super().startup(sockets)
        if self.started:
            settle()
            self._membership.join()
            self._watching = telemetry.watch_loop()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Deregister, wait until the gateway has noticed, then stop."""
        await asyncio.to_thread(self._membership.leave)
        await asyncio.sleep(self._drain_seconds)
        await super().shutdown(sockets)
        if self._watching is not None:
            self._watching.cancel()
        await asyncio.to_thread(telemetry.stop)


def main(name: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    telemetry.start(name)
    service: Service = importlib.import_module(f"civildiy.{name}.app").service()
    settings = service.settings
    configure_logging(settings, service.name)
    config = uvicorn.Config(
        service.app,
        http=ProblemProtocol,
        ws="none",  # no service speaks WebSocket, so a request to upgrade is answered as any other
        host=settings.bind_host or settings.service_host,
        port=settings.service_port,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # no service uses the client's address; the gateway's rate limits do
        timeout_graceful_shutdown=5,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    membership = Membership(service.name, service.routes, settings)
    server = RegisteredServer(config, membership, settings.drain_seconds)
    logging.getLogger(__name__).info("%s on %s:%s", name, config.host, config.port)
    server.run()
    if not server.started:
        sys.exit(3)
