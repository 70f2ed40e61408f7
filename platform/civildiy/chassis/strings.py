"""Strings that are compared: two spellings that a reader cannot tell apart must be one string.

Unicode writes "é" as one character (composed, NFC) or as "e" and an accent (decomposed, NFD); macOS and
Linux keyboards differ in that. `docs/http.md` lists the rule for each string.
Sources: RFC 8264 and RFC 8265 (PRECIS: usernames and passwords), NIST SP 800-63B, section 5.1.1.2.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from email_validator import EmailNotValidError, validate_email
from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

_KEPT = "\u200c\u200d"
"""Zero-width joiners: Persian words and many emoji are written with them (RFC 5892, appendix A)."""


_EMOJI_TAGS = frozenset(map(chr, range(0xE0020, 0xE0080)))
"""Some flags are an emoji followed by these."""


def opaque(password: str) -> str:
    """Return the password in the form that is hashed: profile OpaqueString of RFC 8265, section 4.2.2.

    Every kind of space becomes U+0020, and the text is composed (NFC). Letter case is kept.

    >>> opaque("cafe\\u0301\\u00a0x") == "caf\\u00e9 x"
    True
    """
    return unicodedata.normalize("NFC", _plain_spaces(password))


def spellings(password: str) -> Sequence[str]:
    """Return the spellings to try at a login, best first: old accounts have a hash of the password as typed.

    For a password in ASCII this is one string, so a login costs one hash.
    """
    composed = opaque(password)
    return list(dict.fromkeys((composed, password, unicodedata.normalize("NFD", composed))))


def refuse_controls(value: str) -> str:
    """Return the text. Raises ValueError for characters that cannot be seen, which nobody types on purpose.

    A zero-width space can come along when a password is pasted. Its owner could never type it again.
    """
    for character in value:
        category = unicodedata.category(character)
        joins = character in _KEPT or character in _EMOJI_TAGS
        if category in ("Cc", "Cs") or (category == "Cf" and not joins):
            raise ValueError(
                "must not hold control characters or invisible characters,"
                f" such as a tab or a zero-width space; it holds U+{ord(character):04X}"
            )
    return value


def of_length(least: int, most: int) -> Callable[[str], str]:
    """Return a validator for the length of a string that was normalised before."""

    def checked(value: str) -> str:
        if not least <= len(value) <= most:
            raise ValueError(f"must have {least} to {most} visible characters")
        return value

    return checked


@dataclass(frozen=True)
class Formed:
    """The annotation of a string that `pattern` describes in full; `meaning` tells a person what it is.

    The pattern stands in the API's document, where programs read it.
    """

    pattern: str
    meaning: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check the string with `checked`."""
        return no_info_after_validator_function(self.checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Document the pattern."""
        return handler(schema) | {"pattern": f"^{self.pattern}$"}

    def checked(self, value: str) -> str:
        """Return `value`. Raises ValueError for another form."""
        if not re.fullmatch(self.pattern, value, re.ASCII):
            raise ValueError(f"must be {self.meaning}")
        return value


def _decimal(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]+", value):
        raise ValueError("must be an integer in decimal digits, such as 20")
    return value


Decimal = BeforeValidator(_decimal)
"""For an integer in a query: Python also reads "1_0", " 5", "5.0" and the digits of other alphabets."""


def email_address(value: str) -> str:
    """Return the address as accounts keep it: local part composed, domain in lower case and in Unicode.

    Spaces around it are removed. Raises ValueError for anything else, also for an address with a display name
    (`Ana <ana@example.org>`), which is the form of a mail header.
    """
    try:
        return validate_email(value.strip(), check_deliverability=False, strict=True).normalized
    except EmailNotValidError as error:
        raise ValueError(f"must be an address such as ana@example.org: {error}") from None


def tag(value: str) -> str:
    """Return the tag as it is stored: composed, without invisible characters, with single plain spaces.

    >>> tag(" new\\u200b\\u3000  york\\u202e ")
    'new york'
    """
    shown = (c for c in value if unicodedata.category(c) not in ("Cf", "Cc") or c in _KEPT or c.isspace())
    return " ".join(unicodedata.normalize("NFC", "".join(shown)).split())


def _plain_spaces(value: str) -> str:
    return "".join(" " if unicodedata.category(c) == "Zs" else c for c in value)
