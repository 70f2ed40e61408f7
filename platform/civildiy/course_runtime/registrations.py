"""Remove the metrics that a module registered before it failed, so that another module can use their names.

Prometheus' client keeps one registry for the whole process, and refuses a name that is registered already.
"""

import sys
from collections.abc import Collection
from types import ModuleType
from typing import Any


def registered() -> frozenset[Any]:
    """Return all metrics of this process; none while nothing has imported Prometheus' client."""
    client = sys.modules.get("prometheus_client")
    # Its own list: the registry has no method that names its collectors.
    return frozenset(client.REGISTRY._collector_to_names) if client else frozenset()


def remove_new(before: Collection[Any], failed: ModuleType) -> None:
    """Remove the metrics that `failed` registered since `before`; keep those of the modules that it imported.

    An imported module stays loaded and registers nothing again, so the metrics that it holds must stay.
    """
    new = registered().difference(before)
    if not new:
        return
    others = [module for module in tuple(sys.modules.values()) if module is not failed]
    held = {id(value) for module in others for value in tuple(getattr(module, "__dict__", {}).values())}
    for metric in new:
        if id(metric) not in held:
            sys.modules["prometheus_client"].REGISTRY.unregister(metric)
