"""Write the rules of the objectives as vmalert reads them: `python -m lab.slo.rules`."""

import yaml

from civildiy.operations.objectives import rules
from lab.home import RECIPES

FILE = RECIPES / "observability" / "rules.yaml"
HEAD = """\
# Recording and alerting rules of the objectives, for vmalert or Prometheus. They are generated from
# civildiy/operations/objectives.py: python -m lab.slo.rules. docs/observability.md explains them.
"""


def text() -> str:
    """Return the content of the file."""
    return HEAD + yaml.safe_dump(rules(), sort_keys=False, width=1000)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
