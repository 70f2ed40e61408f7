"""Make MongoDB a replica set of one node: change streams need one."""

from pymongo import MongoClient
from pymongo.errors import OperationFailure

ALREADY_INITIALIZED = 23
CONNECT_MS, ANSWER_MS = 1000, 15_000
"""A frozen server takes connections and says nothing."""


def initiate_replica_set(host: str, port: int) -> None:
    """Initiate the set under the address that clients use. Raises PyMongoError.

    The member's host is given explicitly: left to itself, MongoDB enters the machine's name.
    """
    with MongoClient[dict[str, object]](
        host, port, directConnection=True, serverSelectionTimeoutMS=CONNECT_MS, connectTimeoutMS=CONNECT_MS,
        timeoutMS=ANSWER_MS,
    ) as client:  # fmt: skip
        members = [{"_id": 0, "host": f"{host}:{port}"}]
        try:
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        except OperationFailure as error:
            if error.code != ALREADY_INITIALIZED:
                raise
            _move(client, host, port)


def _move(client: MongoClient[dict[str, object]], host: str, port: int) -> None:
    """Enter the present address when the data was made under another one."""
    config = client.admin.command("replSetGetConfig")["config"]
    if config["members"][0]["host"] == f"{host}:{port}":
        return
    config["members"][0]["host"] = f"{host}:{port}"
    config["version"] += 1
    client.admin.command("replSetReconfig", config, force=True)
