"""The lag over all partitions of the topic: LagMeter measures one of them.

Blocking client: called in a worker thread, one call at a time.
"""

from collections.abc import Callable, Sequence

from kafka import KafkaConsumer

from civildiy.chassis.clients.kafka import reader
from civildiy.contracts.posts.one_partition import OnePartitionReader
from civildiy.feed.lag import LagMeter
from civildiy.feed.schemas import Lag, TopicLag


class _OtherMeter(LagMeter):
    """Measures a partition other than the first, with a consumer that it shares with the others."""

    def __init__(self, bootstrap: str, number: int, shared: Callable[[], KafkaConsumer]) -> None:
        super().__init__(bootstrap)
        self._number = number
        self._shared = shared

    def close(self) -> None:
        """Forget the shared consumer, which its owner closes."""
        self._consumer = None

    def _ask(self, next_offset: int | None) -> Lag:
        self._consumer = OnePartitionReader(self._shared(), self._number)
        return super()._ask(next_offset)


class TopicMeter:
    """Measures the lag of the view, over as many partitions as the topic has."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._first = LagMeter(bootstrap)
        self._others: list[_OtherMeter] = []
        self._consumer: KafkaConsumer | None = None

    def measure(self, next_offsets: Sequence[int | None]) -> Lag | None:
        """Return the lag of a view with these next offsets, by partition; None while Kafka does not answer.

        A partition beyond the last of them has no offset yet.
        """
        lag = self._first.measure(next_offsets[0])
        if lag is None or (partitions := self._first.partitions()) == 1:
            return lag
        lags = [lag]
        for number in range(1, partitions):
            if len(self._others) < number:
                self._others.append(_OtherMeter(self._bootstrap, number, self._shared))
            offset = next_offsets[number] if number < len(next_offsets) else None
            other = self._others[number - 1].measure(offset)
            if other is None:
                self._close_shared()
                return None
            lags.append(other)
        events, seconds = sum(each.events for each in lags), max(each.seconds for each in lags)
        return TopicLag(events=events, seconds=seconds, partitions=lags)

    def close(self) -> None:
        """Close the connections."""
        self._first.close()
        self._close_shared()

    def _shared(self) -> KafkaConsumer:
        """Return the consumer of all partitions but the first. Raises KafkaError."""
        if self._consumer is None:
            self._consumer = reader(self._bootstrap)
        return self._consumer

    def _close_shared(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
