"""The HTTP side of posts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response, status
from structlog.contextvars import bind_contextvars

from civildiy.chassis.identity.caller import CurrentUser
from civildiy.chassis.observability.tracing import continued_trace, trace_id
from civildiy.chassis.pages import PageTurns
from civildiy.chassis.problems import documented
from civildiy.posts.schemas import (
    Deleted,
    NewPost,
    PageQuery,
    Post,
    PostChange,
    PostId,
    PostPage,
    fitting,
)
from civildiy.posts.state import Store, Writes
from civildiy.posts.store import PageRequest

PREFIX = "/api/posts"
router = APIRouter(prefix=PREFIX, tags=["posts"])
_TURNS = PageTurns("mongodb")


async def _trace(traceparent: Annotated[str | None, Header()] = None) -> str:
    continued = continued_trace(traceparent)
    bind_contextvars(trace_id=trace_id(continued))  # for the log, also when the trace begins here
    return continued


Trace = Annotated[str, Depends(_trace)]


@router.post("", status_code=status.HTTP_201_CREATED, responses=documented(400, 401, 413, 422, 503))
async def create(new: NewPost, user: CurrentUser, commands: Writes, trace: Trace, response: Response) -> Post:
    """Write a post."""
    post = Post.of(await commands.create(user, **new.model_dump(), traceparent=trace))
    response.headers["Location"] = f"{PREFIX}/{post.id}"
    return post


@router.get("", responses=documented(422, 503))
async def page(query: Annotated[PageQuery, Query()], store: Store) -> PostPage:
    """List posts, newest first, of one author or of all authors."""
    async with _TURNS.turn(query.limit):
        answer = await store.page(PageRequest(**query.model_dump()))
        items = fitting(answer.posts)
    following = answer.next if len(items) == len(answer.posts) else items[-1].id
    return PostPage(items=items, total=answer.total, limit=query.limit, skip=query.skip, next=following)


@router.get("/{post_id}", responses=documented(404, 422, 503))
async def read(post_id: PostId, store: Store) -> Post:
    """Read one post."""
    return Post.of(await store.get(post_id))


@router.put("/{post_id}", responses=documented(400, 401, 403, 404, 409, 413, 422, 503))
async def update(
    post_id: PostId, change: PostChange, user: CurrentUser, commands: Writes, trace: Trace
) -> Post:
    """Change the fields that are sent; the author only."""
    return Post.of(await commands.update(post_id, user, change.fields(), trace))


@router.delete("/{post_id}", responses=documented(401, 403, 404, 409, 422, 503))
async def delete(post_id: PostId, user: CurrentUser, commands: Writes, trace: Trace) -> Deleted:
    """Delete a post; the author only."""
    await commands.delete(post_id, user, trace)
    return Deleted(id=post_id)
