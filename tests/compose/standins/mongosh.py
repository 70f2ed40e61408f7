#!/usr/local/bin/python3
"""Answers the one question that the health check asks: does mongod reply to a ping?"""

import socket
import struct
import sys

PING = b"\x10ping\x00\x01\x00\x00\x00" + b"\x02$db\x00\x06\x00\x00\x00admin\x00"
DOCUMENT = struct.pack("<i", len(PING) + 5) + PING + b"\x00"
OK = b"\x01ok\x00" + struct.pack("<d", 1.0)

with socket.create_connection(("127.0.0.1", 27017), 5) as connection:
    connection.sendall(struct.pack("<iiiiIB", 21 + len(DOCUMENT), 1, 0, 2013, 0, 0) + DOCUMENT)
    sys.exit(OK not in connection.recv(4096))
