"""The objects that profile creates at its start, and the dependencies with which an endpoint gets them."""

from typing import Annotated, TypedDict

from fastapi import Depends, Request

from civildiy.chassis.app import ReadinessCheck
from civildiy.profile.store import ProfileStore


class ProfileState(TypedDict):
    """Lifespan state: created once, shared by all requests of this process."""

    store: ProfileStore
    postgresql_answers: ReadinessCheck


# Each getter is async, because FastAPI calls an ordinary function in a worker thread.


async def _store(request: Request) -> ProfileStore:
    store: ProfileStore = request.state.store
    return store


async def _postgresql_answers(request: Request) -> ReadinessCheck:
    check: ReadinessCheck = request.state.postgresql_answers
    return check


Store = Annotated[ProfileStore, Depends(_store)]
PostgresqlAnswers = Annotated[ReadinessCheck, Depends(_postgresql_answers)]
