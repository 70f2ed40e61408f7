"""Profiles are made, read, changed and deleted, each by its own person only."""

from urllib.parse import urljoin, urlsplit

from grading import checked_http
from grading.databases import at_once, postgresql
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check
from grading.reach import rows

from lab01_services.service import GATEWAY, OWN, PATH, made, problem

FULL = {
    "first_name": "Ada", "last_name": "Lovelace", "address": "12 Square",
    "city": "London", "state": "England", "zip_code": "SW1Y", "country": "UK", "phone": "1",
    "bio": "Notes", "preferences": {"a": 1},
}  # fmt: skip


@check(points=1)
def test_created_with_location(ada: Person) -> None:
    """A new profile is answered 201, says where it is, and holds what was sent"""
    answer = ada.http.post(PATH, json=FULL)
    did = f"POST {PATH} with all fields"
    means = "Something new was made, so the answer is 201; 200 says that it was there already."
    require(answer.status_code == 201, did, expected="201 Created", saw=said(answer), means=means)
    location = answer.headers.get("location", "")
    where = urljoin(GATEWAY + PATH, location)
    at_the_gateway = bool(location) and urlsplit(where).netloc == urlsplit(GATEWAY).netloc
    require(
        at_the_gateway and ada.http.get(where).status_code == 200,
        did,
        expected=f"a header Location: {PATH} under which the profile can be read at the gateway",
        saw=f"Location: {location!r}",
        means="Location tells a client where the new thing is.",
    )
    for kind, found in (("its answer", answer.json()), (f"GET {PATH}", ada.http.get(PATH).json())):
        lost = {name: found.get(name, "?") for name, value in FULL.items() if found.get(name) != value}
        require(
            not lost,
            f"{did}, and compared {kind} with what was sent",
            expected=str({name: FULL[name] for name in lost}),
            saw=lost,
            means="A field that was accepted and is not there is lost, and nobody was told.",
        )


@check(points=1)
def test_second_profile_is_a_conflict(ada: Person, bob: Person) -> None:
    """A second profile is refused with 409, and the first one stays"""
    made(ada, city="London")
    answer = ada.http.post(PATH, json={"city": "Paris"})
    problem(answer, 409, f"POST {PATH} twice", "", "The client's wish clashes with what is stored: 409.")
    city = ada.http.get(PATH).json()["city"]
    means = "A refused request must change nothing."
    require(city == "London", f"GET {PATH} afterwards", expected="London", saw=city, means=means)
    answers = at_once(6, lambda n: bob.http.post(PATH, json={"city": f"City {n}"}))
    statuses = sorted(answer.status_code for answer in answers)
    require(
        statuses == [201] + [409] * 5,
        f"POST {PATH} six times at once as somebody without a profile",
        expected="201 once, 409 five times",
        saw=statuses,
        means="Of several requests at once exactly one makes the profile. A look before the insert"
        " decides nothing: the"
        " store raises Conflict for all others, and `create` must let it pass.",
    )


@check(points=1)
def test_missing_profile_is_404(ada: Person) -> None:
    """PUT and DELETE of a missing profile are answered 404, and create nothing"""
    for name, method in (("update", "PUT"), ("delete", "DELETE")):
        answer = ada.http.request(method, PATH, json={"city": "x"} if method == "PUT" else None)
        did = f"{method} {PATH} without having a profile"
        means = (
            f"There is no profile, so the store raises NotFound. `{name}` must let it pass: it becomes a 404."
        )
        problem(answer, 404, did, "", means)


@check(points=1)
def test_read_of_nothing_is_404(ada: Person) -> None:
    """GET of a missing profile is answered 404, and creates nothing"""
    for did in (f"GET {PATH} without having a profile", f"GET {PATH} without having a profile, again"):
        means = (
            "There is no profile, so the store raises NotFound. `read` must let it pass: it becomes a 404."
        )
        problem(ada.http.get(PATH), 404, did, "", means)


@check(points=2)
def test_put_leaves_the_rest(ada: Person) -> None:
    """PUT changes what was sent and leaves the rest; null empties a field"""
    kept = {"first_name": "Ada", "preferences": {"a": 1}}
    change = {"city": "Paris", "phone": None, "dob": None}
    made(ada, **kept, city="London", phone="1", dob="1990-12-31")
    answer = ada.http.put(PATH, json=change)
    did = f"PUT {PATH} with city, phone (null) and dob (null) of a profile that has other fields too"
    means = "A client that sends null wants the field to be empty: that is no mistake."
    require(answer.status_code == 200, did, expected="200", saw=said(answer), means=means)
    wanted = kept | change
    seen = {name: answer.json().get(name, "?") for name in wanted}
    stored = {name: ada.http.get(PATH).json().get(name, "?") for name in wanted}
    require(
        seen == wanted == stored,
        did,
        expected=str(wanted),
        saw=f"answered {seen}, stored {stored}",
        means="A field that was not sent is not the same as a field that was sent as null.",
    )


@check(points=1)
def test_delete(ada: Person) -> None:
    """A deleted profile is gone, and can be created again"""
    made(ada)
    answer = ada.http.delete(PATH)
    after = ada.http.get(PATH).status_code
    require(
        answer.status_code == 200 and after == 404,
        f"DELETE {PATH}, then GET {PATH}",
        expected="200, then 404",
        saw=f"{said(answer)}, then {after}",
        means="After a delete nothing is left to read.",
    )
    left = rows("profile", "SELECT city FROM user_profiles WHERE user_id = %s", ada.id)
    require(
        not left and answer.json()["user_id"] == ada.id,
        f"DELETE {PATH}, then looked into the table user_profiles",
        expected=f"no row, and the answer with user_id {ada.id}",
        saw=f"{len(left)} rows; {said(answer)}",
        means="`delete` must remove the row: what a person deletes must not be kept.",
    )
    made(ada)


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
def test_put_at_the_edges(ada: Person) -> None:
    """PUT keeps all changes that arrive at once, and stores exactly the fields that were sent"""
    made(ada, city="London", preferences={"a": 1})
    fields = ("first_name", "last_name", "address", "city", "state", "zip_code", "country", "phone")
    statuses = at_once(len(fields), lambda n: ada.http.put(PATH, json={fields[n]: f"new {n}"}).status_code)
    read = ada.http.get(PATH).json()
    lost = [field for n, field in enumerate(fields) if read.get(field) != f"new {n}" and statuses[n] == 200]
    require(
        not lost,
        f"PUT {PATH} eight times at once, each with another field",
        expected="all eight fields changed",
        saw=f"lost: {', '.join(lost)}",
        means="`update` reads the profile, changes it in memory and writes all of it. What another"
        " request changed in"
        " between is overwritten. Give the store only the fields that were sent.",
    )
    cases: list[tuple[str, dict[str, object], dict[str, object], str]] = [
        ("no fields", {}, {"city": "new 3", "preferences": {"a": 1}}, "No fields change nothing."),
        ("all that GET answered", dict(read), {"city": "new 3"}, "A client may send back what it has read."),
        ("other preferences", {"preferences": {"b": 2}}, {"preferences": {"b": 2}}, "The field is replaced."),
        ("empty preferences", {"preferences": {}}, {"preferences": {}}, "An empty value is a change."),
        ("an empty text", {"city": ""}, {"city": ""}, "An empty text was sent, so it is a change."),
    ]  # fmt: skip
    for what, change, wanted, means in cases:
        answer = ada.http.put(PATH, json=change)
        stored = ada.http.get(PATH).json()
        found = {name: stored.get(name, "?") for name in wanted}
        require(
            answer.status_code == 200 and found == wanted,
            f"PUT {PATH} with {what}",
            expected=f"200, and {wanted}",
            saw=f"{said(answer)[:200]}; stored {found}",
            means=f"{means} `update` must give the store exactly the fields that were sent, whatever"
            " their values.",
        )


@check(points=2)
def test_own_profile_only(ada: Person, bob: Person) -> None:
    """Nobody sees or writes another's profile, whatever the request claims"""
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
