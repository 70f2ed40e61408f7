"""The objects that posts creates at its start, and the dependencies with which an endpoint gets them."""

from typing import Annotated, TypedDict

from fastapi import Depends, Request

from civildiy.posts.commands import Commands
from civildiy.posts.store import PostStore


class PostsState(TypedDict):
    """Lifespan state: created once, shared by all requests of this process."""

    store: PostStore
    commands: Commands


# Each getter is async, because FastAPI calls an ordinary function in a worker thread.


async def _store(request: Request) -> PostStore:
    store: PostStore = request.state.store
    return store


async def _commands(request: Request) -> Commands:
    commands: Commands = request.state.commands
    return commands


Store = Annotated[PostStore, Depends(_store)]
Writes = Annotated[Commands, Depends(_commands)]
