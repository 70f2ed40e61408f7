"""Run one service: `python -m civildiy profile`.

The order matters on both ends. Start: listen, then register, so nobody is sent to a closed port.
Stop: deregister, let the gateway notice, then finish what is in flight.
"""

import asyncio
import importlib
import logging
import sys
from dataclasses import dataclass
from socket import socket

import uvicorn
from fastapi import FastAPI

from civildiy.chassis.discovery.gateway_rules import Route
from civildiy.chassis.discovery.membership import Membership
from civildiy.chassis.observability.logging import configure_logging
from civildiy.chassis.protocol import ProblemProtocol
from civildiy.chassis.settings import ServiceSettings

DRAIN_SECONDS = 0.5
"""Time for the gateway to see the deregistration (measured: 0.3 s) before the port closes."""

KEEP_ALIVE_SECONDS = 120
"""Longer than the gateway's 90: who closes an idle connection first must be the one who sends on it.
Else a request that meets the closing is lost, and its client reads 502."""


@dataclass(frozen=True)
class Service:
    """What `civildiy.<name>.app:service()` returns."""

    name: str
    app: FastAPI
    routes: tuple[Route, ...]
    settings: ServiceSettings


class RegisteredServer(uvicorn.Server):
    """A uvicorn server that is a member of the system while it listens."""

    def __init__(self, config: uvicorn.Config, membership: Membership) -> None:
        super().__init__(config)
        self._membership = membership

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen, then join."""
        await super().startup(sockets)
        if self.started:
            self._membership.join()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Leave, wait until the gateway knows, then stop."""
        await asyncio.to_thread(self._membership.leave)
        await asyncio.sleep(DRAIN_SECONDS)
        await super().shutdown(sockets)


def main(name: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    service: Service = importlib.import_module(f"civildiy.{name}.app").service()
    settings = service.settings
    configure_logging(settings, service.name)
    config = uvicorn.Config(
        service.app,
        http=ProblemProtocol,
        host=settings.bind_host or settings.service_host,
        port=settings.service_port,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nothing here asks for the client's address; the gateway limits by it
        timeout_graceful_shutdown=5,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    server = RegisteredServer(config, Membership(service.name, service.routes, settings))
    logging.getLogger(__name__).info("%s on %s:%s", name, config.host, config.port)
    server.run()
    if not server.started:
        sys.exit(3)
