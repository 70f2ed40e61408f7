"""Text from outside, made safe to show: a post's title, a name on the topic, a path, an error of a driver.

Markup is shown as it was written. Characters that would move the cursor, change the direction of reading
or cannot be encoded appear as Python escapes, such as `\\x1b`. Only this module decides what is safe.
"""

import codecs
import html
import sys
import unicodedata
from typing import TextIO

LONGEST = 80
JOINERS = "\u200c\u200d"
"""Letters of Persian and many emoji are built with these; they change nothing else."""
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Categories: controls, formats (such as bidi overrides), surrogates, private, unassigned, separators."""
PLAIN = str.maketrans({
    "\N{HORIZONTAL ELLIPSIS}": "...", "\N{RIGHTWARDS ARROW}": "->", "\N{LEFTWARDS ARROW}": "<-",
    "\N{EM DASH}": "-", "\N{EN DASH}": "-", "\N{MULTIPLICATION SIGN}": "x", "\N{BULLET}": "*",
    "\N{LEFT SINGLE QUOTATION MARK}": "'", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"', "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
})  # fmt: skip
"""What an ASCII terminal shows instead; for other letters the accent is left out."""


def visible(text: object) -> str:
    """The text with every character that a terminal would obey written as an escape. Line ends stay.

    >>> visible("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    found = str(text)
    if found.isascii() and found.isprintable():
        return found
    return "".join(map(_shown, found.replace("\r\n", "\n").replace("\t", "    ")))


def _shown(character: str) -> str:
    if character == "\n" or character in JOINERS or unicodedata.category(character) not in HIDDEN:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shortened(text: object, longest: int = LONGEST) -> str:
    """The text on one line and with at most about `longest` characters, and how long it was.

    >>> shortened("x" * 100, 10)
    'xxxxxxxxxx… (100 characters)'
    """
    found = str(text)
    line = " ".join(visible(found[: 4 * longest]).split())
    if len(found) <= 4 * longest and len(line) <= longest:
        return line
    return f"{line[:longest]}… ({len(found):,} characters)"


def as_html(text: object) -> str:
    """The text for a page or an SVG image, between tags or inside an attribute."""
    return html.escape(visible(text))


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Write what the terminal's encoding cannot hold with letters that every encoding has."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(PLAIN)
    plain = unicodedata.normalize("NFKD", lacking)
    return "".join(c if c.isascii() else "" if unicodedata.combining(c) else "?" for c in plain), error.end


codecs.register_error("lab", _in_ascii)


def never_refuse(*streams: TextIO) -> None:
    """Let the streams take every character; one that their encoding lacks is replaced by a plain one."""
    for stream in streams or (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="lab")
