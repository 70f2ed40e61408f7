"""Programs that call the learner's functions of auth beside the system, one line of JSON at a time.

Each of them loads only the learner's module of one step; the platform's code runs for all other steps.
"""

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grading.learner_process import Beside

TOKENS = """
import json, os, sys, time
from civildiy.auth.tokens import Issuer, issue, verify
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
for line in sys.stdin:
    asked = json.loads(line)
    os.environ["TZ"] = asked.get("zone", "UTC0")
    time.tzset()
    issuer = Issuer(*asked["issuer"])
    try:
        if "user" in asked:
            key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(asked["key"]))
            answer = issue(asked["user"], issuer, asked["kid"], key)
        else:
            keys = {k: Ed25519PublicKey.from_public_bytes(bytes.fromhex(v)) for k, v in asked["keys"].items()}
            claims = verify(asked["token"], issuer, keys)
            answer = f"user {claims.user_id} until {claims.expires}"
    except Exception as error:
        answer = type(error).__name__
    say(json.dumps(answer))
"""
"""issue() and verify(), on a machine in the time zone `zone`; what they raise is answered by its name."""

PASSWORDS = """
import asyncio, json, sys, threading
from civildiy.auth import passwords as module
passwords = module.Passwords()
def kept():
    # Entries of all containers that outlive a call.
    owners = (passwords, module, module.Passwords)
    places = [place for owner in owners for name, place in vars(owner).items() if not name.startswith("__")]
    return sum(len(place) for place in places if isinstance(place, dict | list | set | tuple))
async def measured(*work):
    # How often the event loop got its turn, and how many threads computed Argon2 at one moment.
    turns = most = 0
    def computing(frame):
        while frame is not None:
            if "argon2" in frame.f_code.co_filename:
                return True
            frame = frame.f_back
        return False
    async def look():
        nonlocal turns, most
        while True:
            turns += 1
            most = max(most, sum(map(computing, sys._current_frames().values())))
            await asyncio.sleep(0.002)
    looking = asyncio.create_task(look())
    await asyncio.sleep(0)
    turns = 0
    answers = await asyncio.gather(*work)
    looking.cancel()
    return answers, turns, most
async def main():
    long = "p" * 100
    (hashed,), turns, _ = await measured(passwords.hash(long))
    say(json.dumps(turns))
    _, turns, _ = await measured(passwords.verify(long, hashed))
    _, more, computed = await measured(passwords.verify(long, None))
    say(json.dumps([turns, more, computed]))
    _, _, most = await measured(*[passwords.hash(long) for _ in range(8)])
    _, _, more = await measured(*[passwords.verify(long, hashed) for _ in range(8)])
    _, _, nobody = await measured(*[passwords.verify(long, None) for _ in range(8)])
    say(json.dumps([most, more, nobody]))
    pairs = [(long, hashed), (long + "x", hashed), (long[:-1], hashed), (long.upper(), hashed), (long, None),
             ("nobody has this password", None), (long, "not a hash")]
    say(json.dumps([await passwords.verify(*pair) for pair in pairs]))
    spaced = await passwords.hash(" two  words\t")
    pairs = [(" two  words\t", spaced), ("two  words", spaced), (" two words\t", spaced), ("", spaced)]
    say(json.dumps([await passwords.verify(*pair) for pair in pairs]))
    before = kept(), threading.active_count()
    for n in range(24):
        await (passwords.hash(f"p{n}") if n % 2 else passwords.verify(f"p{n}", hashed))
    say(json.dumps([kept() - before[0], threading.active_count() - before[1]]))
    for call in (lambda: passwords.hash(long), lambda: passwords.verify(long, hashed),
                 lambda: passwords.verify(long, None)):
        say(json.dumps(await cancelled(call)))
async def cancelled(call):
    # Clients that close their connection: some calls compute meanwhile, the others wait for their turn.
    tasks = [asyncio.create_task(call()) for _ in range(6)]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    try:
        await asyncio.wait_for(call(), 10)
    except TimeoutError:
        return "nothing"
    return "an answer"
asyncio.run(main())
"""
"""hash() and verify(): turns of the event loop, computations at one moment, answers, what is left behind, and
whether a call after cancelled ones returns."""

VALIDATION = """
import asyncio, json, sys
from civildiy.auth import validation
from civildiy.auth.keys import KeyRing
from civildiy.auth.tokens import Issuer, TokenRefused
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
counted = [0]
verify = validation.verify
def counting(*arguments):
    counted[0] += 1
    return verify(*arguments)
validation.verify = counting
async def nothing(pool):
    pass
ring = KeyRing("x" * 20, 600)
ring.look_again = ring.load = nothing
validation.REMEMBERED = 50
validator = validation.Validator(ring, Issuer("civildiy-auth", "civildiy", 600), None)
def kept():
    owners = (validator, validation, validation.Validator)
    places = [place for owner in owners for name, place in vars(owner).items() if not name.startswith("__")]
    return sum(len(place) for place in places if isinstance(place, dict | list | set | tuple))
before = kept()
async def ask(header):
    try:
        return f"user {await validator.user_id(header)}"
    except TokenRefused:
        return "TokenRefused"
    except Exception as error:
        return type(error).__name__
async def main():
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        if "keys" in asked:
            known = {kid: bytes.fromhex(public) for kid, public in asked["keys"].items()}
            ring.public = {kid: Ed25519PublicKey.from_public_bytes(public) for kid, public in known.items()}
        counted[0] = 0
        answers = [await ask(header) for header in asked["headers"]]
        say(json.dumps([sorted(set(answers)) if len(answers) > 1 else answers, counted[0], kept() - before]))
asyncio.run(main())
"""
"""user_id() with keys that the check chooses: answers, number of verifications, growth of what is kept."""

KEYS = """
import asyncio, json, sys
from civildiy.auth.keys import KeyRing
from civildiy.auth.settings import AuthSettings
from civildiy.chassis.clients import postgres
from civildiy.chassis.settings import load_settings
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool
settings = load_settings(AuthSettings)
ring = KeyRing(settings.signing_key_passphrase.get_secret_value(), 3600)
info = make_conninfo(postgres.connection_info(settings, "auth"), options=f"-c search_path={sys.argv[1]}")
def known():
    try:
        signing = ring.signing[0]
    except Exception as error:
        signing = type(error).__name__
    say(json.dumps([signing, sorted(ring.public)]))
async def load(pool):
    try:
        await ring.load(pool)
    except Exception as error:
        say(json.dumps([base.__name__ for base in type(error).__mro__]))
    else:
        known()
async def watched(pool):
    # Each state of the ring that another task could meet while load() runs.
    loading, seen = asyncio.create_task(ring.load(pool)), []
    while not loading.done():
        state = [ring.signing[0], sorted(ring.public)]
        if state not in seen:
            seen.append(state)
        await asyncio.sleep(0)
    await loading
    say(json.dumps(seen))

async def main():
    async with AsyncConnectionPool(info, connection_class=postgres.Connection, min_size=1, max_size=2,
                                   timeout=5, open=False) as pool:
        while line := await asyncio.to_thread(sys.stdin.readline):
            if json.loads(line) == "look":
                known()
                continue
            if json.loads(line) == "load and watch":
                await watched(pool)
                continue
            loading = asyncio.create_task(load(pool))
            if json.loads(line) == "load and look meanwhile":
                await asyncio.sleep(0.5)
                known()
            await loading
asyncio.run(main())
"""
"""load() from a table signing_keys of the check's own."""


def asked(module: Beside, what: str, question: object) -> Any:
    """The program's answer to one line."""
    module.tell(json.dumps(question))
    return json.loads(module.hear(what))


def public_hex(key: Ed25519PrivateKey) -> str:
    """The public half as hexadecimal digits."""
    return key.public_key().public_bytes_raw().hex()
