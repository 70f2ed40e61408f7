"""What a client reads about a wrong field: a rule of the field, not words of the validating library."""

import re
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from civildiy.auth.schemas import Credentials, NewUser
from civildiy.chassis.handlers import _message
from civildiy.feed.schemas import PageQuery as FeedQuery
from civildiy.posts.schemas import NewPost, PageQuery, PostChange
from civildiy.profile.schemas import ProfileChange

WRONG: list[Any] = [None, 1, 1.5, True, "", "x" * 100_000, [], [1], {}, {"a": 1}, -1, 10**30, "\ud800"]
MODELS = [NewUser, Credentials, NewPost, PostChange, PageQuery, FeedQuery, ProfileChange]
SAID = re.compile(r"(must|is missing|is unknown|cannot be|keys? must)\b")


def messages(model: type[BaseModel], value: object) -> list[str]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        return [_message(dict(one)) for one in error.errors()]
    return []


@pytest.mark.parametrize("model", MODELS)
def test_each_message_is_a_rule(model: type[BaseModel]) -> None:
    said = set(messages(model, {}) + messages(model, {"stranger": 1}))
    for value in WRONG:
        said |= set(messages(model, value))
        for name in model.model_fields:
            said |= set(messages(model, {name: value}))
    assert len(said) > 3
    assert [one for one in said if not SAID.match(one)] == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"title": "x" * 201}, "must have at most 200 characters, not 201"),
        ({"title": ""}, "must have at least 1 characters, not 0"),
        ({"tags": ["x"] * 21}, "must have at most 20 entries, not 21"),
        ({"expires_at": "2030-01-31T12:00:00"}, "must have a time zone"),
    ],
)
def test_a_length_is_counted_in_what_it_counts(value: dict[str, Any], said: str) -> None:
    assert [one for one in messages(NewPost, value) if said in one]
    assert not [one for one in messages(ProfileChange, {"city": "x" * 101}) if "100 characters" not in one]
