"""Make MongoDB a replica set of one node, because change streams need a replica set."""

from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from civildiy.chassis.clients import mongodb

ALREADY_INITIALIZED = 23
"""MongoDB's code for a replica set that exists already."""


def initiate_replica_set(host: str, port: int) -> None:
    """Initiate the set under the address that clients use. Raises PyMongoError.

    The member's host is given explicitly. Otherwise MongoDB uses the machine's name, which clients cannot
    resolve.
    """
    with mongodb.for_set_up(host, port) as client:
        members = [{"_id": 0, "host": f"{host}:{port}"}]
        try:
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        except OperationFailure as error:
            if error.code != ALREADY_INITIALIZED:
                raise
            _move(client, host, port)


def _move(client: MongoClient[Any], host: str, port: int) -> None:
    """Set the member's address to the present one, when the data was created under another."""
    config = client.admin.command("replSetGetConfig")["config"]
    if config["members"][0]["host"] == f"{host}:{port}":
        return
    config["members"][0]["host"] = f"{host}:{port}"
    config["version"] += 1
    client.admin.command("replSetReconfig", config, force=True)
