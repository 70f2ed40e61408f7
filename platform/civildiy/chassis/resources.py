"""The methods that each path of a service answers: for `Allow`, OPTIONS and 405.

Source: RFC 9110, sections 9.3.7 and 15.5.6.

The framework's own 405 names the methods of the first route that matches. A path often has several
routes, one for each method, so its answer would leave out what the client may use instead.
"""

from collections.abc import Iterable
from re import Pattern

from starlette.routing import BaseRoute, Route

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
"""The methods that RFC 9110 and RFC 5789 define; a service answers 501 to every other one."""


class Resources:
    """The paths of a service and their methods."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._methods: dict[str, set[str]] = {}
        self._patterns: list[tuple[Pattern[str], str]] = []
        self.add(routes)

    def add(self, routes: Iterable[BaseRoute]) -> None:
        """Add routes; routes with the same path are one resource."""
        for route in routes:
            if isinstance(route, Route):
                if route.path not in self._methods:
                    self._patterns.append((route.path_regex, route.path))
                self._methods.setdefault(route.path, {"OPTIONS"}).update(route.methods or ())

    def methods(self, path: str) -> set[str] | None:
        """Return the methods that `path` answers; None when there is nothing at `path`.

        The first path that matches decides, as in the router: /api/posts/health is not a post.
        """
        for pattern, template in self._patterns:
            if pattern.match(path):
                methods = self._methods[template]
                return methods | {"HEAD"} if "GET" in methods else methods
        return None

    def allow(self, path: str) -> dict[str, str]:
        """Return the header `Allow` for `path`."""
        return {"Allow": ", ".join(sorted(self.methods(path) or ()))}
