"""Control groups of version 2, on the kernel's own file system in a mount namespace."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.classroom import cgroups
from lab.home import PLATFORM

HAS_V2 = "cgroup2" in Path("/proc/filesystems").read_text() if sys.platform == "linux" else False
SCRIPT = """
import json, subprocess
from pathlib import Path
from lab.classroom import cgroups, kernel

kernel.unshare(kernel.CLONE_NEWNS)
kernel.mount("none", Path("/"), flags=kernel.MS_REC | kernel.MS_PRIVATE)
kernel.mount("none", cgroups.ROOT, "cgroup2")
found = {"limits": [str(group) for group in cgroups.create("civildiy-lab-test", 10**9, 100)]}
cgroups.remove(tuple(map(Path, found["limits"])))
cgroups.V2.clear()
cgroups.V2["pids"] = "cgroup.max.descendants"  # exists in each group, whatever this machine can limit
(group,) = cgroups.create("civildiy-lab-test", 10**9, 100)
with subprocess.Popen(["sleep", "60"]) as process:
    (group / "cgroup.procs").write_text(str(process.pid))
    found["inside"] = cgroups.remaining((group,))
    process.kill()
found["limit"] = (group / "cgroup.max.descendants").read_text().strip()
found["removed"] = cgroups.remove((group,)) and not group.exists()
print(json.dumps(found))
"""


@pytest.mark.skipif(not HAS_V2 or os.geteuid() != 0, reason="needs root, and a kernel with version 2")
def test_a_group_of_version_2_is_limited_entered_and_removed() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(PLATFORM)},
    )  # fmt: skip
    if "Operation not permitted" in done.stderr:
        pytest.skip("this root may not mount control groups")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # Where version 1 has memory and processes, version 2 cannot limit them: then there is no group at all.
    assert len(found.pop("limits")) <= 1
    assert found == {"inside": 1, "limit": str(100 + cgroups.OTHER_PROCESSES), "removed": True}


@pytest.mark.skipif(sys.platform != "linux" or not cgroups.delegated(), reason="no control groups here")
def test_a_group_that_nobody_may_enter_is_removed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(groups: list[Path]) -> None:
        made.extend(groups)
        raise PermissionError(13, "Permission denied")

    made: list[Path] = []
    monkeypatch.setattr(cgroups, "_try_to_enter", refuse)
    assert cgroups.create(f"civildiy-lab-test-{os.getpid()}", 10**9, 100) == ()
    assert made
    assert not any(group.exists() for group in made)


def test_places_outside_of_a_group_namespace_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cgroup.controllers").touch()
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)

    def above(own: str) -> list[str]:
        monkeypatch.setattr(cgroups, "_lines", lambda file: [f"0::{own}"])
        return [str(folders["memory"].parent.relative_to(tmp_path)) for folders, _ in cgroups._places("x")]

    assert above("/user.slice/session-1.scope") == ["user.slice", "user.slice/session-1.scope"]
    assert above("/") == ["."]
    assert above("/../outside") == []
