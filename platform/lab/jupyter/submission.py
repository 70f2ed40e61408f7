"""The endpoint of the launcher's card "Submit your work": it writes the archive below the list of files."""

import asyncio
import json
from pathlib import Path

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError, authenticated

from lab.classroom import course_file, submit
from lab.errors import LabError
from lab.home import REPO, Home

FOLDER = REPO / "notebooks"
"""JupyterLab shows this folder, and its container may write to it."""


def written(home: Home, name: str, folder: Path = FOLDER) -> dict[str, object]:
    """Write the archive; return its path below the repository, its members, and the labs in it.

    Raises LabError.
    """
    made = submit.submit(home, course_file.read(None), name, folder)
    inside = made.file.is_relative_to(REPO)
    path = made.file.relative_to(REPO).as_posix() if inside else str(made.file)
    return {"path": path, "members": [*made.members], "labs": made.labs}


class SubmitHandler(JupyterHandler):
    """Handler of POST civildiy/submit."""

    @authenticated
    async def post(self) -> None:
        """Write the archive for the name in the body, and answer with what is in it."""
        try:
            name = json.loads(self.request.body)["name"]
        except (ValueError, LookupError, TypeError):
            raise HTTPError(400) from None
        try:
            answer = await asyncio.to_thread(written, Home.from_environment(), str(name))
        except LabError as error:
            answer = {"error": str(error)}
        self.finish(json.dumps(answer))
