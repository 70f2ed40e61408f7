"""The errors that the drivers raise when a part of the system is unavailable."""

import httpx
from kafka.errors import KafkaError
from psycopg import OperationalError
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

UNAVAILABLE = (httpx.TransportError, KafkaError, OperationalError, PyMongoError, RedisError)
