"""The actions of a learner with only Docker and a browser: JupyterLab's pages, a lab, a notebook."""

import asyncio
import json
import time

import httpx
from compose import step
from compose.stack import Stack
from support import eventually
from tornado.websocket import websocket_connect

from lab.course.exercise import exercise
from lab.course.starter import starter
from lab.home import REPO
from lab.probes import local_http

RUN_IT = """
import sys
import nbformat
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in nbformat.read(sys.argv[1], as_version=4).cells:
    if cell.cell_type == "code" and not shell.run_cell(cell.source).success:
        sys.exit("this cell failed: " + cell.source)
"""
ASKED = "type:  "
"""The text before a command that the user must type in a terminal."""
NOTEBOOK_SECONDS = 300


def visitor(stack: Stack) -> httpx.Client:
    """Return a client of JupyterLab without a token."""
    return local_http.client(base_url=f"http://127.0.0.1:{stack.environment['LAB_PORT_JUPYTER']}", timeout=30)


def pages(stack: Stack) -> dict[str, str]:
    """Open every card of the launcher, and return titles and addresses. Fail if one does not answer."""
    url = stack.lab("notebook", "--no-browser").partition("JupyterLab: ")[2].split()[0]
    with visitor(stack) as http:
        # As a browser does it: the address with the token first, then by its cookie.
        page = http.get(url, follow_redirects=True)
        assert page.status_code == 200
        assert "civildiy-lab" in page.text  # the extension that fills launcher and status bar
        script = http.get("/lab/extensions/civildiy-lab/static/remoteEntry.js")
        assert "The running system" in script.text
        course = http.get("/civildiy/course").json()
        notebooks = {card["title"]: f"/api/contents/{card['path']}?content=0" for card in course["notebooks"]}
        others = {card["title"]: card["url"] for card in course["pages"]}
        for title, address in (notebooks | others).items():
            seen = http.get(address, follow_redirects=True)
            assert seen.status_code == 200, f"{title}: {address} answers {seen.status_code}"
        status = eventually(lambda: good_status(http), within=20, what="12 units in the status bar")
        assert status == "12 of 12 units run"
    return notebooks | others


def good_status(http: httpx.Client) -> str:
    """Return the line in the status bar; '' until all units run."""
    said = http.get("/civildiy/status").json()
    return str(said["line"]) if said["good"] else ""


def kernel_without_being_asked(stack: Stack) -> str:
    """Start a kernel as an opened notebook does, run a cell in it, and return the kernel's name."""
    token = stack.secrets()["JUPYTER_TOKEN"]
    with visitor(stack) as http:
        http.headers["Authorization"] = f"token {token}"
        known = http.get("/api/kernelspecs").json()
        assert list(known["kernelspecs"]) == [known["default"]]
        made = http.post("/api/kernels", json={})
        assert made.status_code == 201, made.text
        kernel = f"/api/kernels/{made.json()['id']}"
        address = str(http.base_url.join(kernel)).replace("http", "ws", 1)
        assert asyncio.run(printed(f"{address}/channels?token={token}", "print(6 * 7)")) == "42\n"
        assert http.delete(kernel).status_code == 204
    return str(made.json()["name"])


async def printed(address: str, code: str) -> str:
    """Return a cell's first output, using the same messages as a browser. Raises TimeoutError."""
    header = {"msg_id": "1", "session": "1", "username": "", "msg_type": "execute_request", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}}
    request = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    async with asyncio.timeout(60):
        kernel = await websocket_connect(address)
        await kernel.write_message(json.dumps(request))
        while (message := await kernel.read_message()) is not None:
            said = json.loads(message)
            if said["msg_type"] == "stream":
                kernel.close()
                return str(said["content"]["text"])
    raise AssertionError("the kernel has gone")


def worked_on_a_lab(stack: Stack) -> None:
    """Start lab 01, look at it, write it, have it checked, stop; and use the feed's tools."""

    def inside(*words: str, code: int = 0) -> str:
        return stack.run("docker", "compose", "exec", "-T", "jupyterlab", "lab", *words, code=code)

    lab = exercise("01")
    kept = {piece.file: piece.file.read_bytes() for piece in lab.pieces}
    try:
        for piece in lab.pieces:
            piece.file.write_text(starter(lab, piece))
        assert "profile runs labs/01-services/api.py" in inside("start", "01")
        assert "platform (started)" in stack.lab("list")  # outside sees the same
        seen = inside("check", "01", code=3)
        assert "Step 1 Say that you are alive: /health\n  OPEN" in seen
        assert "NOT ATTEMPTED: 0 of" in seen
        assert "- Not written yet: step 1, step 2" in inside("hint", "01")
        for piece in lab.pieces:
            piece.file.write_text(piece.source.read_text() + "\nraise ValueError('half an hour later')\n")

        def hinted() -> bool:
            said = inside("hint", "01")
            return "so the platform's code runs in its place" in said and "ValueError: half" in said

        eventually(hinted, within=20, what="the hint to show what stops the code")
        for piece in lab.pieces:
            piece.file.write_text(piece.source.read_text())
        seen = inside("check", "01", code=2)  # only the checks that must control containers are left
        assert "FAIL" not in seen
        assert "on your own machine, in this folder: ./lab check 01" in seen
        assert "NOT GRADABLE: " in seen
        assert ", your code, " in seen
    finally:
        for file, content in kept.items():
            file.write_bytes(content)
        inside("stop", "01")
    assert "(started)" not in (listed := inside("list"))
    assert "your step" not in listed
    assert "PASS: " in inside("check", "04")
    inside("verify")


def played(stack: Stack, name: str) -> int:
    """Run all cells of a notebook, type the requested commands, and return their number. Fail with a cell."""
    command = ["docker", "compose", "exec", "-T", "jupyterlab", "python", "-u", "-c", RUN_IT]
    said: list[str] = []
    began = time.monotonic()
    with (
        step.limited(f"notebook {name}", NOTEBOOK_SECONDS),
        step.started([*command, f"notebooks/{name}.ipynb"], stack.environment, REPO) as process,
    ):
        assert process.stdout
        for line in process.stdout:
            said.append(line.decode(errors="replace"))
            if ASKED in said[-1]:
                stack.run(*said[-1].partition(ASKED)[2].split())
        process.wait(30)
    stack.seconds[f"notebook {name}"] = time.monotonic() - began
    assert process.returncode == 0, "".join(said[-60:])
    return sum(ASKED in line for line in said)
