"""Make nbval stricter: it judges by the printed traceback, so an error without one would pass.

Loaded with `-p nbval_guard`. It keeps the kernel's own word on each cell (the execute reply), and
fails a cell that ended with an error nobody printed, one that should raise and did not, one that
is to be checked and has nothing stored to compare with, and whatever follows a timeout.
"""

from collections.abc import Generator
from typing import Any

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

REPLIES: dict[str, Any] = {}


def await_reply(kernel: Any, msg_id: str, timeout: float | None = None) -> None:
    """Run the cell as nbval does, and keep the reply."""
    while True:
        message = kernel.get_message(stream="shell", timeout=timeout)
        if message["parent_header"].get("msg_id") == msg_id:
            REPLIES["last"] = message["content"]
            if message["content"]["status"] == "aborted":
                raise RuntimeError("the kernel aborted the cell")
            return


RunningKernel.await_reply = await_reply


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge a cell once more after nbval has."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    cell = item.cell
    if item.options["check"] and not cell.get("outputs"):
        pytest.fail("this cell is to be checked, and no output of it is stored", pytrace=False)
    if item.parent.timed_out:
        pytest.fail("an earlier cell ran out of time", pytrace=False)
    REPLIES.clear()
    result = yield
    status = REPLIES.get("last", {}).get("status")
    if "raises-exception" in cell.metadata.get("tags", []):
        if status != "error":
            pytest.fail("this cell should raise an error and did not", pytrace=False)
    elif status != "ok":
        name, value = (REPLIES.get("last", {}).get(key) for key in ("ename", "evalue"))
        pytest.fail(f"the kernel says that this cell failed: {status} {name}: {value}", pytrace=False)
    return result
