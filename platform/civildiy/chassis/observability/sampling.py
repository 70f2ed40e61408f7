"""Sampling: which requests are recorded.

A span costs time, and a collector has to store it. **Head sampling** decides once, when a trace begins, and
the decision travels with the trace as the last two digits of `traceparent` (01: recorded). Every later unit
follows it. If each unit decided for itself, most traces would have holes.

Source: https://opentelemetry.io/docs/concepts/sampling/
"""

from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased


def sampler(ratio: float) -> Sampler:
    """Return the sampler of a unit: it follows the caller's decision, and otherwise records this share.

    `ratio` is a number from 0 to 1. `ParentBased(root)` follows the decision of a caller or of an event, if
    there is one, and asks `root` about all other spans. `TraceIdRatioBased(ratio)` decides by the trace id,
    so two units that see the same id decide alike.
    """
    return ParentBased(TraceIdRatioBased(ratio))
