"""The naive service: `uvicorn lab.bench.naive.service:app`."""

import json
import os
from datetime import UTC, datetime
from typing import Annotated, Any

import jwt
from bson import ObjectId
from fastapi import Depends, FastAPI, Header, HTTPException
from kafka import KafkaProducer
from pydantic import BaseModel
from pymongo import MongoClient
from redis import Redis

from lab.bench.naive import FEED

PREFIX = os.environ["NAIVE_PREFIX"]
TOPIC = os.environ["NAIVE_TOPIC"]
KEYS = jwt.PyJWKSet.from_json(os.environ["NAIVE_KEYS"])
AUDIENCE = os.environ["NAIVE_AUDIENCE"]

app = FastAPI()
posts = MongoClient[dict[str, Any]](os.environ["NAIVE_MONGODB"], tz_aware=True)["naive"]["posts"]
redis = Redis.from_url(os.environ["NAIVE_REDIS"])
producer = KafkaProducer(bootstrap_servers=os.environ["NAIVE_KAFKA"])


class NewPost(BaseModel):
    """A post as its author sends it."""

    title: str
    content: str
    tags: list[str] = []
    expires_at: datetime | None = None


class Post(NewPost):
    """A post as every reader sees it."""

    id: str
    user_id: int
    created_at: datetime
    updated_at: datetime
    version: int


def current_user(authorization: Annotated[str, Header()] = "") -> int:
    """Return the user of the token, which this service checks by itself."""
    token = authorization.removeprefix("Bearer ")
    try:
        key = KEYS[jwt.get_unverified_header(token)["kid"]]
        return int(jwt.decode(token, key, algorithms=["EdDSA"], audience=AUDIENCE)["sub"])
    except (jwt.InvalidTokenError, KeyError) as error:
        raise HTTPException(401, "Send a valid token.") from error


User = Annotated[int, Depends(current_user)]


@app.get(f"{PREFIX}/api/activity-stream/health")
def health() -> dict[str, str]:
    """Answer that the process runs."""
    return {"status": "ok"}


@app.post(f"{PREFIX}/api/posts", status_code=201)
def create(new: NewPost, user: User) -> Post:
    """Write a post, and publish the event: two writes, which a crash in between separates."""
    time = datetime.now(UTC)
    document = {**new.model_dump(), "user_id": user, "created_at": time, "updated_at": time, "version": 1}
    posts.insert_one(document)
    post = _post(document)
    producer.send(TOPIC, key=post.id.encode(), value=post.model_dump_json().encode()).get(10)
    return post


@app.get(f"{PREFIX}/api/posts/{{post_id}}")
def read(post_id: str) -> Post:
    """Read one post."""
    document = posts.find_one({"_id": ObjectId(post_id)})
    if document is None:
        raise HTTPException(404, "There is no such post.")
    return _post(document)


@app.get(f"{PREFIX}/api/activity-stream")
def feed(limit: int = 20) -> dict[str, Any]:
    """Read the feed."""
    return _page(FEED, limit)


@app.get(f"{PREFIX}/api/activity-stream/user")
def own_feed(user: User, limit: int = 20) -> dict[str, Any]:
    """Read the user's own feed."""
    return _page(f"{FEED}:{user}", limit)


def _page(key: str, limit: int) -> dict[str, Any]:
    items = [json.loads(item) for item in redis.lrange(key, 0, limit - 1)]
    return {"items": items, "total": redis.llen(key)}


def _post(document: dict[str, Any]) -> Post:
    return Post(id=str(document["_id"]), **{name: document[name] for name in document if name != "_id"})
