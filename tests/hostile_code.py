"""Code of hostile submissions: what each one does to lab 01 beside, or instead of, answering requests.

An attack at import runs in every process that loads the file. `STOLEN` in a verdict or in a log means that an
attack succeeded: the code then answers /health with an error that names what it got.
"""

from pathlib import Path

from lab.course.exercise import exercise

API = "01-services/api.py"

PREAMBLE = '''
import glob, os, pathlib, signal, socket, subprocess, sys, threading, time

loot = []


def attempt(what, act):
    """Note an attack that succeeds; one that the system refuses raises."""
    try:
        if act() is not False:
            loot.append(what)
    except BaseException as error:
        print("refused:", what, type(error).__name__, error, flush=True)
'''

CONFESS = """

if loot:
    raise RuntimeError("STOLEN: " + ", ".join(loot))
"""

IMPORTED: dict[str, str] = {
    "endless loop at import": "while True: pass\n",
    "fork bomb": '''
def bomb():
    while True:
        try:
            if os.fork() == 0:
                while True:
                    time.sleep(1)
        except OSError:
            time.sleep(0.01)


threading.Thread(target=bomb, daemon=True).start()
''',
    "output": '''
def shout():
    block = b"x" * 1_000_000
    for _ in range(1000):
        try:
            os.write(1, block)
            os.write(2, block)
        except OSError:
            time.sleep(0.01)


threading.Thread(target=shout, daemon=True).start()
''',
    "disk": '''
def fill():
    for folder in (os.environ.get("TMPDIR", "/"), "/tmp", "/dev/shm", os.getcwd(), "/var/tmp", "/mnt/home"):
        number = 0
        while number < 2000:
            number += 1
            try:
                with open(f"{folder}/fill-{os.getpid()}-{number}", "wb") as out:
                    out.write(b"x" * 10_000_000)
            except OSError as error:
                print("refused:", folder, error, flush=True)
                break


threading.Thread(target=fill, daemon=True).start()
''',
    "memory": '''
def grow():
    held = []
    while True:
        try:
            held.append(bytearray(50_000_000))
        except MemoryError:
            time.sleep(1)


for _ in range(8):
    if os.fork() == 0:
        grow()
''',
    "graders": '''
root = next(p for p in pathlib.Path(__file__).resolve().parents if (p / "checks").is_dir())


def delete(path):
    os.unlink(path)


for target in [*glob.glob(f"{root}/checks/**/*.py", recursive=True)][:5]:
    attempt(f"delete {target}", lambda target=target: os.unlink(target))
for target in (f"{root}/checks/conftest.py", f"{root}/checks/grading/judge.py",
               f"{root}/labs/01-services/exercise.toml", f"{root}/platform/civildiy/auth/api.py",
               "/mnt/out/result.json", "/mnt/home/verdicts-01.json",
               "/mnt/home/progress.json", "/mnt/confine.sh"):
    attempt(f"write {target}", lambda target=target: open(target, "w").write("[]"))
attempt("mount", lambda: subprocess.run(["mount", "-o", "remount,rw", "/"], check=True, capture_output=True))
attempt("root", lambda: os.setuid(0))
''',
    "secrets": '''
own = os.environ.get("POSTGRES_PASSWORD", "")


def others_environment():
    found = False
    for file in glob.glob("/proc/[0-9]*/environ"):
        if file.split("/")[2] == str(os.getpid()):
            continue
        try:
            text = open(file, "rb").read()
        except OSError:
            continue
        found = found or b"PASSWORD=" in text and own.encode() not in text
    return found


attempt("environment of another unit", others_environment)
for target in ["/mnt/home/stack/secrets.env", *glob.glob("/mnt/home/stack/run/*.sh")]:
    attempt(f"read {target}", lambda target=target: open(target).read())
attempt("list run", lambda: bool(os.listdir("/mnt/home/stack/run")))


def other_database():
    import psycopg
    with psycopg.connect(
        host=os.environ["POSTGRES_HOST"], port=os.environ["POSTGRES_PORT"], user=os.environ["POSTGRES_USER"],
        password=own, dbname="auth", connect_timeout=5,
    ) as connection:
        return bool(connection.execute("SELECT count(*) FROM users").fetchall())


attempt("database of auth", other_database)
attempt("the network outside", lambda: socket.create_connection(("192.0.2.1", 80), timeout=1))
''',
    "kill": '''
attempt("signal the first process", lambda: os.kill(1, signal.SIGTERM))
for entry in glob.glob("/proc/[0-9]*"):
    pid = int(entry.split("/")[2])
    if pid not in (os.getpid(), os.getppid()) and os.path.exists("/proc/self/fd"):
        attempt(f"signal {pid}", lambda pid=pid: os.kill(pid, signal.SIGKILL))
''',
    "daemon": '''
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(3, 200):
            try:
                os.close(number)
            except OSError:
                pass
        while True:
            time.sleep(1)
    os.kill(os.getpid(), signal.SIGKILL)
''',
}  # fmt: skip

IN_HEALTH: dict[str, str] = {
    "endless loop": "    while True:\n        pass\n",
    "os._exit": "    import os\n    os._exit(0)\n",
}
"""Instead of the body of `health`."""


def solution() -> str:
    """Return the right solution of the file that the attacks change."""
    piece = next(piece for piece in exercise("01").pieces if piece.file.name == "api.py")
    return piece.source.read_text(encoding="utf-8")


def files(kind: str) -> dict[str, bytes]:
    """Return the files of lab 01 with an attack in them, by their paths below labs/."""
    made = {f"01-services/{p.file.name}": p.source.read_bytes() for p in exercise("01").pieces}
    text = solution()
    if kind in IN_HEALTH:
        answer = '    return Health(service="profile")\n'
        assert text.count(answer) == 1
        made[API] = text.replace(answer, IN_HEALTH[kind]).encode()
    else:
        # Below the module's docstring and its imports.
        made[API] = (text + PREAMBLE + IMPORTED[kind] + CONFESS).encode()
    return made


KINDS = (*IMPORTED, *IN_HEALTH)
HARMLESS = ("output", "disk", "graders", "secrets", "kill", "daemon")
"""Attacks beside a right solution: each is refused, so the solution passes."""
USELESS = ("endless loop at import", "endless loop", "os._exit")
"""Code that cannot pass. The others are only contained: their solution may pass or not."""


def write(folder: Path, kind: str) -> None:
    """Write the files below `folder`, to look at one by hand."""
    for name, content in files(kind).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
