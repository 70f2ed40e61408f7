"""One JupyterLab for the tests of a module."""

from collections.abc import Iterator

import pytest
from browser import Lab, jupyterlab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with jupyterlab(tmp_path_factory.mktemp("browser")) as found:
        yield found
