"""What a recorded log would have been with other workers, another order, or other sizes."""

from dropline.whatif.outcome import Outcome
from dropline.whatif.simulate import simulate
from dropline.whatif.trace import Trace, read_trace

__all__ = ["Outcome", "Trace", "read_trace", "simulate"]
