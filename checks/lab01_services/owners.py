"""Each user reads and writes the own profile, as it is stored now, whatever a request claims."""

from grading import checked_http
from grading.databases import at_once, postgresql
from grading.outcome import require
from grading.people import Person
from grading.plugin import check

from lab01_services.service import OWN, PATH, made, problem


@check(points=2)
def test_read_is_current(ada: Person, bob: Person) -> None:
    """GET answers what is stored now, to each person their own profile, also when many ask at once"""
    for person in (ada, bob):
        made(person, city="London")
        person.http.get(PATH)
    with postgresql("profile") as connection:
        connection.execute(
            "UPDATE user_profiles SET city = 'Paris', version = version + 1 WHERE user_id = %s", (ada.id,)
        )
    city = ada.http.get(PATH).json()["city"]
    require(
        city == "Paris",
        f"GET {PATH}, changed the row in PostgreSQL as another instance does, GET {PATH} again",
        expected="the city Paris",
        saw=city,
        means="`read` answers from memory. A second instance of profile changes the same row, and this"
        " one does not"
        " notice.",
    )
    people = [ada, bob]
    answers = at_once(16, lambda n: (people[n % 2].id, people[n % 2].http.get(PATH).json()["user_id"]))
    mixed = [f"{asked} got the profile of {found}" for asked, found in answers if asked != found]
    require(
        not mixed,
        f"GET {PATH} 16 times at once, as two people",
        expected="each person's own profile",
        saw=mixed[:3],
        means="Requests that run at the same time share a variable. Everything about one request belongs"
        " into the"
        " arguments and local variables of the function.",
    )


@check(points=2)
def test_own_profile_only(ada: Person, bob: Person) -> None:
    """Each user reads and writes the own profile only, whatever the request claims"""
    forged = {"X-User-ID": str(ada.id)}
    # A service that takes the owner from the body makes a profile for Ada here.
    bob.http.post(PATH, json={"first_name": "Bob", "user_id": ada.id}, headers=forged)
    before = ada.http.get(PATH)
    did = f"as Bob: POST {PATH} with Ada's id in body and header; then as Ada: GET {PATH}"
    problem(
        before,
        404,
        did,
        "",
        "The caller is the user whose id the gateway passes on."
        " A body, a query or a header can claim anything.",
    )
    made(ada, first_name="Ada")
    hers = {"user_id": ada.id}
    mine = bob.http.post(PATH, json={"first_name": "Bob"}, params=hers, headers=forged)
    own = bob.http.get(PATH, params=hers, headers=forged).json()
    bob.http.put(PATH, json={"first_name": "Bobby"}, params=hers, headers=forged)
    bob.http.delete(PATH, params=hers, headers=forged)
    theirs = ada.http.get(PATH).json().get("first_name")
    require(
        theirs == "Ada" and own.get("user_id") == bob.id and mine.status_code in (201, 409),
        "as Bob: POST, GET, PUT and DELETE with Ada's id in query and header",
        expected=f"Bob's own profile (user_id {bob.id}); Ada's stays",
        saw=f"user_id {own.get('user_id')}, Ada's first name is {theirs!r}",
        means="The caller is the user whose id the gateway passes on. A body, a query or a header can"
        " claim anything.",
    )
    for method in ("GET", "PUT", "DELETE"):
        body = {"first_name": "Bob"} if method == "PUT" else None
        answer = checked_http.request(method, OWN + PATH, json=body, headers=forged, timeout=8)
        did = f"{method} {PATH} at the service itself, past the gateway, with Ada's id in X-User-ID"
        problem(
            answer, 401, did, "", "An id is true only with the gateway's proof; anybody can send a header."
        )
