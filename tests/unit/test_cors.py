"""The CORS rules of the gateway: none by default, and in front of everything else."""

import pytest

from civildiy.chassis.cors import origins, with_cors
from civildiy.chassis.discovery.gateway_rules import Route, rule_set

RULES = rule_set(
    "x",
    [Route("own", "Path(`/a`)", 2), Route("open", "Path(`/b`)", 3, needs_user=False, limit=(1, 1))],
    secret="s", auth_check_url="http://a",
)  # fmt: skip


def chain(rules: dict[str, str], router: str) -> list[str]:
    found = sorted(key for key in rules if key.startswith(f"routers/x-{router}/middlewares/"))
    return [rules[key] for key in found]


def test_nothing_by_default() -> None:
    assert with_cors(RULES, "x", origins("")) == RULES
    assert origins(" , ") == ()


def test_before_everything_else() -> None:
    made = with_cors(RULES, "x", origins("https://app.example.org, http://localhost:3000"))
    for router in ("own", "open"):
        assert chain(made, router) == ["x-cors", *chain(RULES, router)]
    assert made["middlewares/x-cors/headers/accessControlAllowOriginList/1"] == "http://localhost:3000"
    assert {key: value for key, value in RULES.items() if "/middlewares/" not in key}.items() <= made.items()


@pytest.mark.parametrize(
    "listed",
    ["*", "null", "app.example.org", "https://app.example.org/", "https://a.org https://b.org",
     "https://App.example.org", "https://user@a.org", "https://a.org:port", "https://*.a.org", "x" * 5000],
)  # fmt: skip
def test_what_is_not_an_origin(listed: str) -> None:
    with pytest.raises(ValueError, match="is not an origin") as caught:
        origins(listed)
    assert len(str(caught.value)) < 300
