"""The OpenAPI document, from which clients are written."""

from grading.outcome import require
from grading.people import Person
from grading.plugin import check

from lab01_services.service import PATH, at_service


@check(points=1)
def test_openapi_tells_every_answer(ada: Person) -> None:
    """The OpenAPI document lists every status that an endpoint can answer"""
    paths = at_service("/openapi.json").json()["paths"]
    wanted = {
        ("/health", "get"): {"200"},
        ("/ready", "get"): {"200", "503"},
        (PATH, "post"): {"201", "400", "401", "409", "422", "503"},
        (PATH, "get"): {"200", "401", "404", "503"},
        (PATH, "put"): {"200", "400", "401", "404", "422", "503"},
        (PATH, "delete"): {"200", "401", "404", "503"},
    }
    for (path, method), statuses in wanted.items():
        told = set(paths.get(path, {}).get(method, {}).get("responses", {}))
        require(
            statuses <= told,
            f"read {method.upper()} {path} in /openapi.json",
            expected=", ".join(sorted(statuses)),
            saw=", ".join(sorted(told)) or "nothing",
            means="Clients are written from this document. FastAPI makes it from the decorators;"
            " leave them as they were in the starter.",
        )
