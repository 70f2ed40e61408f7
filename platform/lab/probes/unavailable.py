"""What the drivers raise when a part of the system does not answer."""

import httpx
from kafka.errors import KafkaError
from psycopg import OperationalError
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

AWAY = (httpx.TransportError, KafkaError, OperationalError, PyMongoError, RedisError)
