"""What GET returned can be sent back with PUT, whatever the databases made of it."""

import json
import secrets

import pytest
from refusals import refused
from support import Person


@pytest.fixture
def path(ada: Person) -> str:
    """Provide a post of Ada."""
    return f"/api/posts/{ada.post()['id']}"


def as_doubles(value: object) -> object:
    """JSON has one kind of number: 1e308 and an integer of 309 digits are the same."""
    return json.loads(json.dumps(value), parse_int=float)


def test_what_was_read_can_be_sent_back(ada: Person, path: str) -> None:
    numbers = {
        "big": 1e22, "huge": 1e308, "small": 5e-324, "neg": -0.0, "int": 2**63 - 1, "half": 0.1,
        "double": 2**64, "text": "1e22", "deep": [[{"a": [1e300]}]],
    }  # fmt: skip
    ada.http.delete("/api/profile")
    made = ada.http.post("/api/profile", json={"city": "Ulm", "preferences": numbers})
    assert made.status_code == 201, made.text
    for _ in range(3):
        read = ada.http.get("/api/profile").json()
        assert as_doubles(read["preferences"]) == as_doubles(numbers)
        back = ada.http.put("/api/profile", json=read)
        assert back.status_code == 200, back.text
        assert back.json() | {"updated_at": 0} == read | {"updated_at": 0}
    refused(ada.http.put("/api/profile", json={"preferences": {"a": 2**64 + 1}}), 422, "64 bits")
    nulls = ada.http.put("/api/profile", json={"preferences": None, "city": None, "dob": None}).json()
    assert (nulls["preferences"], nulls["city"]) == ({}, None)
    for value in (1, True, 1.0, False, 0, [0], [False]):  # to Python many of them are equal
        ada.http.put("/api/profile", json={"preferences": {"on": value}})
        assert json.dumps(ada.http.get("/api/profile").json()["preferences"]) == json.dumps({"on": value})
    refused(ada.http.put("/api/profile", json={"userid": 1}), 422, "userid")
    post = ada.http.get(path).json()
    back = ada.http.put(path, json=post | {"user_id": 1, "version": 1})
    assert back.status_code == 200, back.text
    assert back.json()["user_id"] == ada.id
    assert back.json()["version"] == post["version"] + 1


@pytest.mark.parametrize("number", ["1e308", "1e18", "5e-324", "18446744073709551616"])
def test_a_full_profile_can_be_sent_back(ada: Person, number: str) -> None:
    """The answer is as long as the request, although PostgreSQL writes a double with up to 309 digits."""
    numbers = ",".join([number] * (64_000 // (len(str(float(number))) + 2)))  # counted as a double
    ada.http.delete("/api/profile")
    content = f'{{"bio": "{secrets.token_hex(2500)}", "preferences": {{"numbers": [{numbers}]}}}}'
    headers = {"Content-Type": "application/json"}
    made = ada.http.post("/api/profile", content=content, headers=headers)
    assert made.status_code == 201, made.text[:500]
    read = ada.http.get("/api/profile")
    assert as_doubles(read.json()["preferences"]) == as_doubles(json.loads(content)["preferences"])
    back = ada.http.put("/api/profile", content=read.content, headers=headers)
    assert back.status_code == 200, back.text[:500]
    assert back.json()["preferences"] == read.json()["preferences"]
