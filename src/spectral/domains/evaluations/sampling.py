"""Which traces an online evaluation is for, and which of those it takes. Pure: the same trace always fares the same."""

import hashlib
from uuid import UUID

from spectral.domains.agents.runtime import ExecutionMode
from spectral.domains.evaluations.models import OnlineEvaluation
from spectral.domains.traces.models import Trace

SHARES = 2**64


def is_for(evaluation: OnlineEvaluation, trace: Trace) -> bool:
    """Whether the evaluation's filter fits; what evaluations did themselves never does."""
    if trace.mode == ExecutionMode.EVALUATION:
        return False
    wanted = (
        (evaluation.agent_id, trace.agent_id),
        (evaluation.agent_version, trace.agent_version),
        (evaluation.mode, trace.mode),
        (evaluation.trace_name, trace.name),
    )
    return all(want is None or want == is_ for want, is_ in wanted)


def is_sampled(trace_id: bytes, evaluation_id: UUID, rate: float) -> bool:
    """Whether the trace is in the evaluation's share of traces: uniform, and independent between evaluations."""
    digest = hashlib.blake2b(evaluation_id.bytes + trace_id, digest_size=8).digest()
    return int.from_bytes(digest, "big") < rate * SHARES
