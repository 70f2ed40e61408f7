"""Profiles are created, read, changed and deleted, each by its own user only."""

from urllib.parse import urljoin, urlsplit

from grading.databases import at_once
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check
from grading.reach import rows

from lab01_services.service import GATEWAY, PATH, made, problem

FULL = {
    "first_name": "Ada", "last_name": "Lovelace", "address": "12 Square",
    "city": "London", "state": "England", "zip_code": "SW1Y", "country": "UK", "phone": "1",
    "bio": "Notes", "preferences": {"a": 1},
}  # fmt: skip


@check(points=1)
def test_created_with_location(ada: Person, bob: Person) -> None:
    """A new profile is answered 201, says where it is, and holds what was sent, also of one field"""
    answer = ada.http.post(PATH, json=FULL)
    did = f"POST {PATH} with all fields"
    means = (
        "A new profile was created, so the answer is 201. The decorator of `create` has this status already."
    )
    require(answer.status_code == 201, did, expected="201 Created", saw=said(answer), means=means)
    location = answer.headers.get("location", "")
    where = urljoin(GATEWAY + PATH, location)
    at_the_gateway = bool(location) and urlsplit(where).netloc == urlsplit(GATEWAY).netloc
    require(
        at_the_gateway and ada.http.get(where).status_code == 200,
        did,
        expected=f"a header Location: {PATH} under which the profile can be read at the gateway",
        saw=f"Location: {location!r}",
        means="`create` must set the header Location to PREFIX: it tells a client the address of the"
        " new profile.",
    )
    for kind, found in (("its answer", answer.json()), (f"GET {PATH}", ada.http.get(PATH).json())):
        lost = {name: found.get(name, "?") for name, value in FULL.items() if found.get(name) != value}
        require(
            not lost,
            f"{did}, and compared {kind} with what was sent",
            expected=str({name: FULL[name] for name in lost}),
            saw=lost,
            means="A field was accepted and is lost. `create` must give the store all fields:"
            " `new.model_dump()`.",
        )
    _of_one_field(bob)


def _of_one_field(person: Person) -> None:
    """A profile of which most fields were not sent."""
    wanted: dict[str, object] = {**dict.fromkeys((*FULL, "dob")), "preferences": {}, "city": "Paris"}
    answer = person.http.post(PATH, json={"city": "Paris"})
    found = answer.json() if answer.status_code == 201 else {}
    other = {name: found.get(name, "?") for name, value in wanted.items() if found.get(name, "?") != value}
    require(
        not other,
        f'POST {PATH} with {{"city": "Paris"}}',
        expected="201, the city, empty `preferences` ({}), and null in all other fields",
        saw=other if found else said(answer),
        means="A field that was not sent has its default: {} for `preferences`, None for the others. `create`"
        " must give the store all fields, also those with a default. `new.model_dump()` without arguments"
        " holds all of them.",
    )


@check(points=1)
def test_second_profile_is_a_conflict(ada: Person, bob: Person) -> None:
    """A second profile is refused with 409, and the first one stays"""
    made(ada, city="London")
    means = "The user has a profile already. The store raises Conflict, which becomes a 409; `create` must"
    # The same body as before looks like a request that a client repeats; it is a conflict like any other.
    bodies = {"another body": {"city": "Paris"}, "the same body": {"city": "London"}, "no fields": {}}
    for how, body in bodies.items():
        answer = ada.http.post(PATH, json=body)
        problem(answer, 409, f"POST {PATH} twice, with {how}", "", f"{means} let it pass, whatever was sent.")
    city = ada.http.get(PATH).json()["city"]
    means = "A refused request must change nothing."
    require(city == "London", f"GET {PATH} afterwards", expected="London", saw=city, means=means)
    answers = at_once(6, lambda n: bob.http.post(PATH, json={"city": f"City {n}"}))
    statuses = sorted(answer.status_code for answer in answers)
    require(
        statuses == [201] + [409] * 5,
        f"POST {PATH} six times at once as a user without a profile",
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
            f"There is no profile, so the store raises NotFound. `{name}` must `await` the store's call and"
            " let the exception pass: it becomes a 404."
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
    means = "A client that sends null wants the field to be empty, which is allowed for each of these fields."
    require(answer.status_code == 200, did, expected="200", saw=said(answer), means=means)
    wanted = kept | change
    seen = {name: answer.json().get(name, "?") for name in wanted}
    stored = {name: ada.http.get(PATH).json().get(name, "?") for name in wanted}
    require(
        seen == wanted == stored,
        did,
        expected=str(wanted),
        saw=f"answered {seen}, stored {stored}",
        means="`update` must change exactly the fields that were sent, and return the profile after"
        " the change. A field that was not sent is not the same as a field that was sent as null:"
        " see `exclude_unset`.",
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
        means="`delete` must remove the profile; then the store raises NotFound for it, which becomes a 404.",
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
        ("null for one field", {"city": None}, {"city": None}, "A field sent as null is empty afterwards."),
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
