"""The way of one post through the system, as a sequence diagram with the times of its hops."""

from dataclasses import dataclass

from lab.notebook.diagram import Drawing
from lab.notebook.picture import Picture

LANES = ("you", "Traefik", "auth", "posts", "MongoDB", "Kafka", "Redis", "feed")


@dataclass(frozen=True)
class Journey:
    """Milliseconds after the request was sent; `read` is how long reading it back took."""

    post_id: str
    written: float
    answered: float
    on_topic: float
    in_view: float
    read: float

    @property
    def in_order(self) -> bool:
        """Written before it was on the topic, and on the topic before it was in the view."""
        return self.written <= self.on_topic <= self.in_view + 1

    @property
    def delay(self) -> float:
        """Milliseconds from the answer until the post was in the view; below 0 when it was quicker."""
        return self.in_view - self.answered

    @property
    def arrived(self) -> str:
        """The letter of what happened: a before the answer, b within a second after it, c later."""
        return "a" if self.delay <= 0 else "b" if self.delay < 1000 else "c"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.picture()._repr_mimebundle_()

    def picture(self) -> Picture:
        """The sequence diagram."""
        drawing = Drawing(860, 380)
        at = {name: 60 + 105 * number for number, name in enumerate(LANES)}
        for name, x in at.items():
            drawing.box(x - 45, 8, 90, 30, (name,))
            drawing.life_line(x, 38, 372)
        steps = (
            ("you", "Traefik", "POST /api/posts", 0.0),
            ("Traefik", "auth", "whose token?", None),
            ("Traefik", "posts", "X-User-ID", None),
            ("posts", "MongoDB", "post + event", self.written),
            ("posts", "you", "201", self.answered),
            ("MongoDB", "Kafka", "relay: event", self.on_topic),
            ("Kafka", "Redis", "projector: entry", self.in_view),
            ("you", "feed", "GET /api/activity-stream/user", None),
            ("feed", "you", f"200 after {self.read:.1f} ms", None),
        )
        for number, (start, end, said, moment) in enumerate(steps):
            y = 66 + 35 * number
            drawing.arrow(at[start], y, at[end], y, said)
            if moment is not None:
                drawing.text(2, y + 4, f"{moment:.0f} ms")
        alt = (
            f"Sequence of one post: in MongoDB after {self.written:.0f} ms,"
            f" answered after {self.answered:.0f} ms,"
            f" on Kafka after {self.on_topic:.0f} ms, in Redis after {self.in_view:.0f} ms,"
            f" read back in {self.read:.1f} ms."
        )
        return Picture(drawing.svg(), alt, "One post on its way; times since the request was sent")
