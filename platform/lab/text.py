"""Make text from outside safe to show: a post's title, a name on the topic, a path, a driver's error.

Markup is shown as it was written. Characters that would move the cursor, change the reading direction
or cannot be encoded appear as Python escapes, such as `\\x1b`. Only this module decides what is safe.
"""

import codecs
import html
import sys
import unicodedata
from typing import TextIO

LONGEST = 80
JOINERS = "\u200c\u200d"
"""Invisible characters that Persian and many emoji need; they have no other effect."""
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Categories: controls, formats (such as bidi overrides), surrogates, private, unassigned, separators."""
PLAIN = str.maketrans({
    "\N{HORIZONTAL ELLIPSIS}": "...", "\N{RIGHTWARDS ARROW}": "->", "\N{LEFTWARDS ARROW}": "<-",
    "\N{EM DASH}": "-", "\N{EN DASH}": "-", "\N{MULTIPLICATION SIGN}": "x", "\N{BULLET}": "*",
    "\N{LEFT SINGLE QUOTATION MARK}": "'", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"', "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
})  # fmt: skip
"""What an ASCII terminal shows instead of these; all other letters lose their accent."""


def visible(text: object) -> str:
    """Return the text with every control character written as an escape. Line ends stay.

    >>> visible("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    original = str(text)
    if original.isascii() and original.isprintable():
        return original
    return "".join(map(_shown, original.replace("\r\n", "\n").replace("\t", "    ")))


def _shown(character: str) -> str:
    if character == "\n" or character in JOINERS or unicodedata.category(character) not in HIDDEN:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shortened(text: object, longest: int = LONGEST) -> str:
    """Return the text on one line, cut after about `longest` characters; a cut text ends with its length.

    >>> shortened("x" * 100, 10)
    'xxxxxxxxxx… (100 characters)'
    """
    original = str(text)
    line = " ".join(visible(original[: 4 * longest]).split())
    if len(original) <= 4 * longest and len(line) <= longest:
        return line
    return f"{line[:longest]}… ({len(original):,} characters)"


def compared(name: str) -> str:
    """Return a person's name in the form in which two spellings of it are equal.

    Letter case, outer and repeated spaces, and the way in which an accent is encoded make no difference.

    >>> compared(" JOSE\u0301  Garci\u0301a") == compared("Jos\u00e9 Garc\u00eda")
    True
    """
    return unicodedata.normalize("NFC", " ".join(unicodedata.normalize("NFC", name).casefold().split()))


def as_html(text: object) -> str:
    """Return the text for a web page or an SVG image, between tags or inside an attribute."""
    return html.escape(visible(text))


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that the terminal's encoding lacks by ASCII ones."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    unencodable = error.object[error.start : error.end].translate(PLAIN)
    plain = unicodedata.normalize("NFKD", unencodable)
    return "".join(c if c.isascii() else "" if unicodedata.combining(c) else "?" for c in plain), error.end


codecs.register_error("lab", _in_ascii)


def never_refuse(*streams: TextIO) -> None:
    """Let the streams accept every character: one that their encoding lacks is replaced by a plain one."""
    for stream in streams or (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="lab")
