"""The four OpenAPI documents are true: every request gets an answer that they describe."""

from collections import Counter
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support import ENDPOINTS, GATEWAY, Person

from lab.probes import local_http
from lab.topology import SERVICES

DAILY, FULL = 12, 300
"""The most cases for each operation and kind of data; simple operations have fewer."""
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
FROM_THE_GATEWAY = 429
"""The answer of the gateway's own rate limiter for logins."""


def document_of(service: str) -> dict[str, Any]:
    """Return the service's own document; paths outside /api are only reachable at its own address."""
    document: dict[str, Any] = local_http.get(f"{ENDPOINTS[service]}/openapi.json", timeout=10).json()
    document["paths"] = {p: item for p, item in document["paths"].items() if p.startswith("/api/")}
    return document


def cases_of(document: dict[str, Any], count: int, person: Person) -> Counter[int]:
    """Call every operation of a document `count` times with valid and with invalid data."""
    schema = schemathesis.openapi.from_dict(document)
    seen: Counter[int] = Counter()
    with requests.Session() as session:
        session.trust_env = False
        for result in schema.get_all_operations():
            assert isinstance(result, Ok), result
            operation = result.ok()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

                @settings(
                    max_examples=count, derandomize=True, deadline=None, database=None,
                    phases=[Phase.generate], suppress_health_check=list(HealthCheck),
                )  # fmt: skip
                @given(case=operation.as_strategy(generation_mode=mode))
                def probe(case: Case[Any]) -> None:
                    headers = {"Authorization": f"Bearer {person.token}"}
                    answer = case.call(base_url=GATEWAY, session=session, headers=headers)
                    seen[answer.status_code] += 1
                    assert answer.status_code < 500, (case.as_curl_command(), answer.text)
                    if answer.status_code != FROM_THE_GATEWAY:
                        case.validate_response(answer, checks=CHECKS)

                try:
                    probe()
                except Unsatisfiable:
                    continue  # a request without data cannot have invalid data
    return seen


@pytest.mark.parametrize("service", SERVICES)
def test_answers_are_documented(service: str, ada: Person) -> None:
    seen = cases_of(document_of(service), DAILY, ada)
    assert seen.total() > DAILY


def test_an_answer_that_is_not_documented_is_found(ada: Person) -> None:
    document = document_of("profile")
    for operation in document["paths"]["/api/profile"].values():
        operation["responses"] = {s: a for s, a in operation["responses"].items() if not s.startswith("4")}
    with pytest.raises(FailureGroup, match="Undocumented status code"):
        cases_of(document, 3, ada)


def test_an_answer_of_another_shape_is_found(ada: Person) -> None:
    document = document_of("feed")
    document["components"]["schemas"]["ActivityPage"]["required"].append("surprise")
    with pytest.raises(FailureGroup, match="surprise"):
        cases_of(document, 3, ada)


@pytest.mark.campaign
def test_five_thousand_cases(ada: Person, capsys: pytest.CaptureFixture[str]) -> None:
    seen = sum((cases_of(document_of(service), FULL, ada) for service in SERVICES), Counter[int]())
    with capsys.disabled():
        print(f"\n{seen.total()} cases; answers by status: {dict(sorted(seen.items()))}")
    assert seen.total() >= 5_000
