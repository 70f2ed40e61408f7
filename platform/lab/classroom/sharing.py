"""The learner's side: join a class, send a snapshot after each check and prediction, and leave.

Nothing is sent before `join` and after `leave`. A class that cannot be reached never disturbs a check: the
result is kept, and the next snapshot contains it, because a snapshot is the whole state.
"""

import json
import os
import re
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from lab.classroom.snapshot import Snapshot, name_of, of_home
from lab.errors import LabError
from lab.home import Home
from lab.probes import local_http
from lab.text import shortened

FILE = "class.json"
SECONDS = 3.0
"""The longest time that a check waits for the collector."""
FORMAT = 1
AGAIN = "Your result is kept, and it is sent with the next check."


@dataclass(frozen=True)
class Membership:
    """Where this home sends its snapshots: to a collector (`url`), or into a file of a shared folder."""

    name: str
    url: str = ""
    code: str = ""
    person: str = ""
    token: str = ""
    file: str = ""

    @property
    def place(self) -> str:
        """The collector's address, or the file."""
        return self.url or self.file


class NotSent(Exception):
    """Raised when a snapshot could not be delivered; the text is a sentence for the learner."""


def membership(home: Home) -> Membership | None:
    """Return where this home sends its snapshots; None without a class, or when the file is damaged."""
    try:
        found = Membership(**json.loads((home.root / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    texts = all(isinstance(value, str) for value in asdict(found).values())
    return found if texts and found.place else None


def refuse_damaged(home: Home) -> None:
    """Raise LabError when this home has joined a class, and the file that tells which one is damaged."""
    file = home.root / FILE
    if file.exists() and membership(home) is None:
        raise LabError(
            f"{file} is damaged, so nothing is sent to your class. Join it again:"
            " ./lab class join ADDRESS CODE --name NAME"
        )


def join(home: Home, where: str, code: str, name: str) -> Membership:
    """Join a class, send the first snapshot, and return the membership. Raises LabError."""
    try:
        name = name_of(name)
    except ValueError:
        raise LabError(
            "The name is empty. Give the name that your instructor should see: --name NAME"
        ) from None
    if membership(home):
        leave(home)  # the class shows nobody twice
    made = _with_collector(where, code, name) if _is_address(where) else _with_folder(where, name)
    _keep(home, made)
    try:
        send(home)
    except NotSent as error:
        raise LabError(f"You have joined, but your progress could not be sent: {error}") from error
    return made


def leave(home: Home) -> str:
    """Leave the class and delete what it has; return what remains to be done, '' for nothing.

    From now on nothing is sent, also when the class cannot be reached.
    """
    refuse_damaged(home)
    known = membership(home)
    if known is None:
        raise LabError(
            "You have not joined a class, so nothing is sent. Join one:"
            " ./lab class join ADDRESS CODE --name NAME"
        )
    (home.root / FILE).unlink(missing_ok=True)
    try:
        if known.file:
            Path(known.file).unlink(missing_ok=True)
        else:
            answer = _request("DELETE", f"{known.url}/members/{known.person}", known.token)
            if answer.status_code not in (204, 401):
                raise NotSent(shortened(answer.text))
    except (NotSent, OSError) as error:
        return (
            f"Nothing is sent any more. {known.place} still shows you, because it could not be told: {error}"
        )
    return ""


def send(home: Home) -> None:
    """Send the snapshot of this home, if it has joined a class. Raises NotSent."""
    if known := membership(home):
        snapshot = of_home(home)
        _into_folder(known, snapshot) if known.file else _to_collector(home, known, snapshot)


def after_check(home: Home) -> str:
    """Send a snapshot and return a remark for the learner; '' when it arrived, or no class was joined."""
    try:
        send(home)
    except NotSent as error:
        return f"The class overview was not updated: {error} {AGAIN}"
    return ""


def in_background(home: Home) -> None:
    """Send a snapshot without waiting for it, as after a click in a notebook. Errors are not reported."""
    if (home.root / FILE).exists():

        def act() -> None:
            with suppress(NotSent):
                send(home)

        threading.Thread(target=act, daemon=True).start()


def _is_address(where: str) -> bool:
    return bool(
        re.match(r"https?://", where) or re.fullmatch(r"[\w.-]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}", where)
    )


def _with_collector(where: str, code: str, name: str) -> Membership:
    if not code:
        raise LabError(
            "A join code is missing. Your instructor's page shows it:"
            " ./lab class join ADDRESS CODE --name NAME"
        )
    url = (where if "://" in where else f"http://{where}").rstrip("/")
    try:
        return _joined(url, code, name)
    except NotSent as error:
        raise LabError(f"You have not joined the class at {url}: {error}") from error


def _joined(url: str, code: str, name: str) -> Membership:
    answer = _request("POST", f"{url}/members", "", {"code": code, "name": name})
    if answer.status_code != 201:
        raise NotSent(shortened(answer.text.strip(), 200) or f"it answered {answer.status_code}.")
    try:
        made = answer.json()
        return Membership(str(made["name"]), url, code, str(made["id"]), str(made["token"]))
    except (ValueError, KeyError, TypeError) as error:
        raise NotSent("its answer is not that of a collector. Check the address.") from error


def _with_folder(where: str, name: str) -> Membership:
    folder = Path(where).expanduser().absolute()
    if not where.strip() or not folder.is_dir():
        raise LabError(
            f"{shortened(where) or 'An empty text'} is neither a folder nor an address such as"
            " 192.168.1.5:8780. Ask your instructor for the whole command."
        )
    plain = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-") or "somebody"
    return Membership(name, file=str(folder / f"{plain}-{secrets.token_hex(3)}.json"))


def _into_folder(known: Membership, snapshot: Snapshot) -> None:
    file = Path(known.file)
    whole = {"format": FORMAT, "name": known.name, "snapshot": snapshot.as_dict()}
    text = json.dumps(whole, ensure_ascii=False)
    try:
        # Others may write into the folder, so the new file must not follow a link that they made.
        new = file.with_suffix(f".{secrets.token_hex(6)}")
        with os.fdopen(
            os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8"
        ) as out:
            out.write(text)
        new.replace(file)
    except OSError as error:
        raise NotSent(f"{file} cannot be written: {error.strerror or error}.") from error


def _to_collector(home: Home, known: Membership, snapshot: Snapshot) -> None:
    answer = _put(known, snapshot)
    if answer.status_code == 429:  # the collector accepts one snapshot a second
        time.sleep(1.1)
        answer = _put(known, snapshot)
    if answer.status_code == 401:  # a collector that has lost its data does not know this home
        known = _joined(known.url, known.code, known.name)
        _keep(home, known)
        answer = _put(known, snapshot)
    if answer.status_code != 204:
        raise NotSent(shortened(answer.text.strip(), 200) or f"{known.url} answered {answer.status_code}.")


def _put(known: Membership, snapshot: Snapshot) -> httpx.Response:
    return _request("PUT", f"{known.url}/members/{known.person}", known.token, snapshot.as_dict())


def _request(method: str, url: str, token: str, body: dict[str, Any] | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with local_http.client(timeout=SECONDS) as client:
            return client.request(method, url, headers=headers, json=body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        host = url.split("/members")[0]
        raise NotSent(
            f"{host} does not answer ({type(error).__name__}). Is the address right, and does it run?"
        ) from error


def _keep(home: Home, made: Membership) -> None:
    home.root.mkdir(parents=True, exist_ok=True)
    file = home.root / FILE
    new = file.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(json.dumps(asdict(made)))
    new.replace(file)
