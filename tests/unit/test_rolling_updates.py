"""The manifests give an ending pod the time that it needs, and a new one the time to be known."""

from kubernetes.manifests import container, patch, workload

from lab.home import REPO
from lab.topology import PATHS


def test_a_service_is_ready_only_when_consul_has_checked_it() -> None:
    """Otherwise a rolling update ends the old pod while the gateway does not know the new one yet."""
    services = patch("services")
    probe = services["/spec/template/spec/containers/0/startupProbe"]
    (command,) = probe["exec"]["command"][2:]
    program, url = command.removeprefix("exec python -IS ").split()
    assert (REPO / "platform" / program.removeprefix("/app/")).is_file()
    assert url.strip('"') == "http://$CONSUL_HOST:$CONSUL_PORT/v1/agent/health/service/id/$SERVICE_ID"
    env = {entry["name"]: entry for entry in services["/spec/template/spec/containers/0/env/-"]}
    assert env["SERVICE_ID"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    # A store that is down for half an hour must not restart the services.
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 1800


def test_a_gateway_is_ready_only_when_it_has_routed_a_request() -> None:
    """It answers /ping before it has read its rules, and then every request with 404."""
    probe = container("traefik")["startupProbe"]
    assert probe["httpGet"] == {"path": f"/api/{PATHS['auth']}/health", "port": "http"}
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 1800


def test_a_pod_has_time_to_end() -> None:
    """The kubelet sends SIGKILL after the grace period, to whatever has not been finished by then."""
    services = patch("services")
    env = {entry["name"]: entry.get("value") for entry in services["/spec/template/spec/containers/0/env/-"]}
    requests, others = 5, 8  # the answers that are awaited; Consul, spans and the pools of connections
    grace = services["/spec/template/spec/terminationGracePeriodSeconds"]
    assert grace > float(env["DRAIN_SECONDS"]) + requests + others

    gateway = {entry["name"]: entry["value"] for entry in container("traefik")["env"]}
    seconds = {
        name.removeprefix("TRAEFIK_ENTRYPOINTS_").partition("_TRANSPORT_")[::2]: int(value[:-1])
        for name, value in gateway.items()
        if "_TRANSPORT_" in name
    }
    accepts = "LIFECYCLE_REQUESTACCEPTGRACETIMEOUT"
    # Before the port closes, each client has been asked to connect again, to another pod. Each request
    # that was accepted until then finds auth.
    assert seconds["WEB", "KEEPALIVEMAXTIME"] < seconds["WEB", accepts] < seconds["INTERNAL", accepts]
    waits = 10  # Traefik's default for requests that are not finished
    assert workload("traefik")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > (
        seconds["INTERNAL", accepts] + waits
    )
