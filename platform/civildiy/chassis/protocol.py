"""The HTTP/1.1 parser of a service, whose errors have the same shape as all others.

uvicorn answers a request that it cannot parse by itself, in plain text, and does not call the application.
A client of the gateway sees this for an unknown method, such as `curl -X BREW`.
"""

import sys
from http import HTTPStatus

from httptools import HttpParserInvalidMethodError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from civildiy.chassis.problems import MEDIA_TYPE, problem_body
from civildiy.chassis.resources import METHODS

UNREADABLE = "The request is not HTTP/1.1. Check its request line and its headers."
INVENTED = f"No service knows this method. Use one of {', '.join(METHODS[:7])}."


class ProblemProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools, with refusals in problem+json."""

    def send_400_response(self, msg: str) -> None:
        """Answer 501 to a method that the parser does not know, 400 to all else, and close the connection."""
        invented = isinstance(sys.exc_info()[1], HttpParserInvalidMethodError)
        status = HTTPStatus.NOT_IMPLEMENTED if invented else HTTPStatus.BAD_REQUEST
        body = problem_body(status, INVENTED if invented else UNREADABLE, "")
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
