"""What the dead letter topic gets of a record that can never be applied."""

from kafka.consumer.fetcher import ConsumerRecord

LONGEST_REASON = 500
LONGEST_KEY = 1_000
LONGEST_LETTER = 1_000_000
"""Bytes of a value that go to the dead letters, whose largest record is as large as the topic's own."""


def fitting(record: ConsumerRecord, reason: str) -> tuple[bytes | None, bytes, str]:
    """Key, value and reason as far as a dead letter has room for them; the reason tells what was cut."""
    key, value, reason = record.key, record.value or b"", reason[:LONGEST_REASON]
    if key is not None and len(key) > LONGEST_KEY:
        reason += f" (of a key of {len(key)} bytes the first {LONGEST_KEY})"
        key = key[:LONGEST_KEY]
    if len(value) > LONGEST_LETTER:
        reason += f" (of {len(value)} bytes the first {LONGEST_LETTER}: a letter has no room for more)"
        value = value[:LONGEST_LETTER]
    return key, value, reason


def headers_of(record: ConsumerRecord, reason: str) -> list[tuple[str, bytes]]:
    """Return the headers of a dead letter: why it is one, and where its record is."""
    return [
        ("reason", reason.encode(errors="replace")),
        ("topic", record.topic.encode()),
        ("partition", str(record.partition).encode()),
        ("offset", str(record.offset).encode()),
    ]
