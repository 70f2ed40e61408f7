"""Query one instance of a service directly: the gateway would choose an instance by itself."""

from lab.backends.addresses import Addresses
from lab.backends.settings import read
from lab.probes import local_http


def port(backend: Addresses) -> int:
    """Return the port on which every service listens."""
    return int(read("common", backend.variables())["SERVICE_PORT"])


def answered(backend: Addresses, unit: str, path: str) -> int:
    """Return how many requests to `path` an instance has answered (its metrics). Raises httpx.HTTPError."""
    address = backend.reach(unit)
    if ":" not in address:
        address = f"{address}:{port(backend)}"
    text = local_http.get(f"http://{address}/metrics", timeout=5).text
    lines = [line for line in text.splitlines() if "_count{" in line and f'"{path}"' in line]
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines))
