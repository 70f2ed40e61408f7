"""The kernel of the course: its own kernelspec in .venv, so that every notebook runs the same way."""

import json
import sys
from pathlib import Path

NAME = "civildiy-lab"
TITLE = "CivilDIY Lab"


def ensure_kernel(data: Path | None = None) -> Path:
    """Write the kernelspec into Jupyter's data folder `data` or this Python's own; return its folder."""
    folder = (data or Path(sys.prefix) / "share" / "jupyter") / "kernels" / NAME
    # With pytest's variable set, ipykernel swallows the output of subprocesses.
    argv = ["env", "-u", "PYTEST_CURRENT_TEST", sys.executable, "-m", "ipykernel_launcher",
            "-f", "{connection_file}", "--log-level=ERROR"]  # fmt: skip
    spec = {"argv": argv, "display_name": TITLE, "language": "python", "metadata": {"debugger": False}}
    text = json.dumps(spec, indent=1)
    file = folder / "kernel.json"
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        folder.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    return folder
