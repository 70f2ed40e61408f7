"""Draw the way of one post through the system as a sequence diagram with times."""

from dataclasses import dataclass

from lab.notebook.diagram import Drawing
from lab.notebook.picture import Picture

LANES = ("you", "Traefik", "auth", "posts", "MongoDB", "Kafka", "Redis", "feed")

Step = tuple[str, str, str, float | None]
"""From, to, what, and milliseconds since the request was sent; None where that was not seen."""


@dataclass(frozen=True)
class Journey:
    """Times in milliseconds after the request was sent; `read` is the duration of reading the post back.

    `auth`, `posts` and `feed` are the durations that these services measured themselves; None if unknown.
    """

    post_id: str
    written: float
    answered: float
    on_topic: float
    in_view: float
    read: float
    auth: float | None = None
    posts: float | None = None
    feed: float | None = None

    @property
    def in_order(self) -> bool:
        """Whether the post was written, then on the topic, then in the view."""
        return self.written <= self.on_topic <= self.in_view + 1

    @property
    def delay(self) -> float:
        """Milliseconds from the answer until the post was in the view; below 0 if the view was faster."""
        return self.in_view - self.answered

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.picture()._repr_mimebundle_()

    def picture(self) -> Picture:
        """The sequence diagram."""
        drawing = Drawing(860, 380)
        at = {name: 60 + 105 * number for number, name in enumerate(LANES)}
        for name, x in at.items():
            drawing.box(x - 45, 8, 90, 30, (name,))
            drawing.life_line(x, 38, 372)
        later: list[Step] = [
            ("posts", "you", "201", self.answered),
            ("MongoDB", "Kafka", "relay: event", self.on_topic),
            ("Kafka", "Redis", "projector: entry", self.in_view),
        ]
        steps: list[Step] = [
            ("you", "Traefik", "POST /api/posts", 0.0),
            ("Traefik", "auth", f"whose token? {_span(self.auth)}", None),
            ("Traefik", "posts", f"X-User-ID; posts needs {_span(self.posts)}", None),
            ("posts", "MongoDB", "post + event", self.written),
            *sorted(later, key=lambda step: step[3] or 0.0),
            ("you", "feed", f"GET /api/activity-stream/user; feed needs {_span(self.feed)}", None),
            ("feed", "you", f"200, {self.read:.1f} ms after the GET", None),
        ]
        for number, (start, end, label, moment) in enumerate(steps):
            y = 66 + 35 * number
            drawing.arrow(at[start], y, at[end], y, label)
            if moment is not None:
                drawing.text(2, y + 4, f"{moment:.0f} ms")
        alt = (
            f"Sequence of one post: auth needed {_span(self.auth)} and posts {_span(self.posts)};"
            f" in MongoDB after {self.written:.0f} ms, answered after {self.answered:.0f} ms,"
            f" on Kafka after {self.on_topic:.0f} ms, in Redis after {self.in_view:.0f} ms;"
            f" read back in {self.read:.1f} ms, of which feed needed {_span(self.feed)}."
        )
        return Picture(drawing.svg(), alt, "One post on its way; on the left: since the request was sent")


def _span(milliseconds: float | None) -> str:
    return "an unknown time" if milliseconds is None else f"{milliseconds:.1f} ms"
