"""Decide when the system is up: the gateway reaches every service, and each service reaches what it needs."""

import time

import httpx

from lab.deadlines import slow
from lab.errors import LabError
from lab.probes import local_http
from lab.progress import Progress
from lab.topology import PATHS

UP_SECONDS = 90.0


def waiting_for(endpoints: dict[str, str], client: httpx.Client) -> list[str]:
    """Describe what is not ready yet; [] when the system is up."""
    missing = []
    for service, path in PATHS.items():
        for what, url in (
            (f"{service} is ready", f"{endpoints[service]}/ready"),
            (f"the gateway's route to {service}", f"{endpoints['gateway']}/api/{path}/health"),
        ):
            try:
                if client.get(url).status_code != 200:
                    missing.append(what)
            except httpx.HTTPError:
                missing.append(what)
    if not missing:
        try:
            stats = client.get(f"{endpoints['gateway']}/api/activity-stream/stats").json()
            guarded = client.get(f"{endpoints['gateway']}/api/activity-stream/user").status_code
        except (httpx.HTTPError, ValueError):
            return ["the feed's statistics"]
        if stats.get("consumer_state") != "running" or stats.get("lag_events") is None:
            missing.append("the feed projector")
        if guarded != 401:
            missing.append("the gateway's authentication through auth")
    return missing


def wait_until_up(endpoints: dict[str, str], progress: Progress, seconds: float = UP_SECONDS) -> None:
    """Block until the system is up. Raises LabError with what is still missing after `seconds`."""
    deadline = time.monotonic() + seconds * slow()
    with local_http.client(timeout=3) as client:
        while missing := waiting_for(endpoints, client):
            if time.monotonic() > deadline:
                raise LabError(
                    f"After {seconds * slow():.0f} s these are still missing: {', '.join(missing)}.\n"
                    "Find the cause: ./lab status, ./lab logs UNIT"
                )
            progress.say(
                "start", f"waiting for {missing[0]}" + f" (+{len(missing) - 1})" * (len(missing) > 1)
            )
            time.sleep(0.1)
    progress.done("start", "all services answer through the gateway")
