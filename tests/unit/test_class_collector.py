"""The collector accepts those who know its code, survives garbage and floods, and shows text as text."""

import json
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from class_of_learners import HOSTILE, predictions, progress

from lab.classroom import limits
from lab.classroom.board import Board
from lab.classroom.collector import Collector
from lab.classroom.limits import MOST_ADDRESSES, Allowance
from lab.classroom.members import Members
from lab.classroom.snapshot import MOST_BYTES, of_files

pytestmark = pytest.mark.anyio
SNAPSHOT = of_files(progress(random.Random(1)), predictions(random.Random(1)), Path("/home/ada")).as_dict()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def client(members: Members, address: str = "192.0.2.7") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Collector(members).app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://class") as http:
        yield http


async def joined(http: httpx.AsyncClient, members: Members, name: str = "Ada") -> tuple[str, dict[str, str]]:
    answer = await http.post("/members", json={"code": members.code, "name": name})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return f"/members/{made['id']}", {"Authorization": f"Bearer {made['token']}"}


async def test_join_send_leave() -> None:
    members = Members(Board())
    async with client(members) as http:
        path, mine = await joined(http, members)
        assert (await http.put(path, json=SNAPSHOT, headers=mine)).status_code == 204
        (person,) = members.board.people.values()
        assert person.snapshot.as_dict() == SNAPSHOT
        assert (await http.delete(path, headers=mine)).status_code == 204
        assert members.board.people == {}
        assert (await http.put(path, json=SNAPSHOT, headers=mine)).status_code == 401
        assert "Ada" not in json.dumps(members.as_dict())


async def test_nobody_sends_or_leaves_for_somebody_else() -> None:
    members = Members(Board())
    async with client(members) as http:
        hers, her_token = await joined(http, members)
        _, other_token = await joined(http, members, "Eve")
        for headers in ({}, other_token, {"Authorization": "Bearer x"}, {"Authorization": "ä".encode()}):
            assert (await http.put(hers, json=SNAPSHOT, headers=headers)).status_code == 401  # type: ignore[arg-type]
            assert (await http.delete(hers, headers=headers)).status_code == 401  # type: ignore[arg-type]
        assert len(members.board.people) == 2
        stored = json.dumps(members.as_dict())
        assert her_token["Authorization"].split()[1] not in stored


async def test_the_code_is_needed_and_cannot_be_tried_for_ever() -> None:
    members = Members(Board())
    async with client(members) as http:
        answers = [await http.post("/members", json={"code": "AAAAAA", "name": "x"}) for _ in range(30)]
        assert {answer.status_code for answer in answers[:10]} == {403}
        assert {answer.status_code for answer in answers[10:]} == {429}
        # Another person behind the same address can still join.
        await joined(http, members)
        lower = await http.post("/members", json={"code": f" {members.code.lower()} ", "name": "Bob"})
        assert lower.status_code == 201


@pytest.mark.parametrize(
    "body", [b"", b"\xff\x00", b"[]", b"7", b"[" * 60_000, b'{"labs": 1, "x": [', b'{"a": 1}']
)
async def test_garbage_is_refused_and_changes_nothing(body: bytes) -> None:
    members = Members(Board())
    async with client(members) as http:
        path, mine = await joined(http, members)
        await http.put(path, json=SNAPSHOT, headers=mine)
        assert (await http.put(path, content=body, headers=mine)).status_code in (400, 422)
        assert (await http.post("/members", content=body)).status_code in (400, 403, 413, 422)
        (person,) = members.board.people.values()
        assert person.snapshot.as_dict() == SNAPSHOT


async def test_a_large_body_is_not_read_to_its_end() -> None:
    members, sent = Members(Board()), 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MOST_BYTES:
            sent += 10_000
            yield b" " * 10_000

    async with client(members) as http:
        path, mine = await joined(http, members)
        # httpx's transport reads the whole body first, so the app is called as a server does.
        request = http.build_request("PUT", path, content=endless(), headers=mine)
        chunks = request.stream.__aiter__()  # type: ignore[union-attr]
        answers: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": await anext(chunks), "more_body": True}

        async def send(message: Any) -> None:
            answers.append(message)

        scope = {
            "type": "http", "method": "PUT", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in mine.items()],
            "client": ("192.0.2.7", 1), "server": ("class", 80), "scheme": "http", "http_version": "1.1",
        }  # fmt: skip
        await Collector(members).app(scope, receive, send)
        assert answers[0]["status"] == 413
        assert sent < 2 * MOST_BYTES


async def test_a_body_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        import anyio

        yield b"{"
        await anyio.sleep(30)
        yield b"}"

    class Request:
        stream = staticmethod(slow)

    with pytest.raises(limits.TooMuch, match="did not arrive"):
        await limits.body_of(Request(), 10)  # type: ignore[arg-type]


async def test_a_flood_is_refused_and_memory_is_bounded() -> None:
    members = Members(Board(most=5))
    async with client(members) as http:
        path, mine = await joined(http, members)
        codes = [(await http.put(path, json=SNAPSHOT, headers=mine)).status_code for _ in range(20)]
        assert set(codes) == {204, 429}
        assert codes[0] == 204
        await http.put(path, json=SNAPSHOT, headers=mine)
        codes = [
            (await http.post("/members", json={"code": members.code, "name": f"p{n}"})).status_code
            for n in range(150)
        ]
        assert 201 in codes
        assert 429 in codes
    assert len(members.board.people) <= 5
    assert "Ada" in {person.name for person in members.board.people.values()}


async def test_a_full_class_says_what_it_means() -> None:
    members = Members(Board(most=1))
    async with client(members) as http:
        path, mine = await joined(http, members)
        await http.put(path, json=SNAPSHOT, headers=mine)
        full = await http.post("/members", json={"code": members.code, "name": "Bob"})
        assert (full.status_code, full.text) == (503, "The class is full: at most 1 can join.\n")


def test_addresses_are_forgotten() -> None:
    allowance = Allowance(1, 2)
    for number in range(3 * MOST_ADDRESSES):
        allowance.take(str(number), 0)
    assert len(allowance) == MOST_ADDRESSES
    assert [allowance.take("x", moment) for moment in (0, 0, 0, 1, 1)] == [True, True, False, True, False]


async def test_the_page_needs_its_key() -> None:
    members = Members(Board())
    async with client(members) as http:
        await joined(http, members)
        for path in ("/", "/now", "/?key=wrong"):
            answer = await http.get(path, follow_redirects=True)
            assert answer.status_code == 403
            assert "Ada" not in answer.text
        opened = await http.get(f"/?key={members.key}", follow_redirects=True)
        assert opened.status_code == 200
        assert "Ada" in opened.text
        assert members.key not in str(opened.url)
        assert (await http.get("/etc")).status_code == 404


async def test_text_from_outside_is_text() -> None:
    members = Members(Board())
    async with client(members) as http:
        path, mine = await joined(http, members, HOSTILE)
        failures = [{"check": "test_alive_without_database", "title": HOSTILE, "message": HOSTILE}]
        hostile = {"labs": {"01": {"steps": {"1": "fail"}, "failures": failures, "when": HOSTILE}}}
        assert (await http.put(path, json=hostile, headers=mine)).status_code == 204
        page = await http.get(f"/?key={members.key}", follow_redirects=True)
        assert "<img" not in page.text
        assert re.findall(r"<script[^>]*>", page.text) == ['<script src="class.js" defer>']
        assert "\x1b" not in page.text
        assert "&lt;script&gt;" in page.text
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        assert "unsafe" not in page.headers["Content-Security-Policy"]


async def test_the_assets_need_nothing_from_outside() -> None:
    async with client(Members(Board())) as http:
        for name in ("class.css", "class.js"):
            answer = await http.get(f"/{name}")
            assert answer.status_code == 200
            assert not re.search(r"https?://|@import|url\(", answer.text)
        assert "prefers-color-scheme: dark" in (await http.get("/class.css")).text


async def test_a_restart_knows_the_class(tmp_path: Path) -> None:
    file = tmp_path / "class.json"
    members = Members(Board())
    async with client(members) as http:
        path, mine = await joined(http, members)
        await http.put(path, json=SNAPSHOT, headers=mine)
    members.save(file)
    assert file.stat().st_mode & 0o077 == 0
    again = Members.load(file)
    assert (again.code, again.key) == (members.code, members.key)
    async with client(again) as http:
        assert (await http.put(path, json=SNAPSHOT, headers=mine)).status_code == 204
    for damage in ("", "[]", '{"people": 3}', '{"people": {}, "code": "A", "key": "B", "hashes": 7}'):
        file.write_text(damage)
        assert Members.load(file).board.people == {}
