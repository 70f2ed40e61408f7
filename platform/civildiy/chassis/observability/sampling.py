"""Sampling: which requests are recorded.

A span costs time, and a collector has to store it. **Head sampling** decides once, when a trace begins, and
the decision travels with the trace as the last two digits of `traceparent` (01: recorded). Every later unit
follows it. If each unit decided for itself, most traces would have holes.

Source: https://opentelemetry.io/docs/concepts/sampling/
"""

from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased


def sampler(ratio: float) -> Sampler:
    """Return the sampler of a unit: it follows the caller's decision, and otherwise records this share.

    `ratio` is a number from 0 to 1. A span with a parent is recorded exactly if its parent is, whatever
    `ratio` is. A span without a parent begins a trace, and `ratio` of these are recorded. The trace id
    decides which, so two units that see the same id decide alike.

    `ParentBased(root)` follows the parent, and asks the sampler `root` where there is none.
    `TraceIdRatioBased(ratio)` decides by the trace id. Example: `sampler(0.1)` records one new trace in ten.
    """
    return ParentBased(TraceIdRatioBased(ratio))
