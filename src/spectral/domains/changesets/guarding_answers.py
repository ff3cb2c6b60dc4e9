"""Rows of live guards as the wire shows them. Pure."""

from spectral.domains.changesets.guarding_models import PromotionGuard
from spectral.domains.changesets.guarding_schemas import GuardArmOut, GuardEffectOut, GuardPointOut, PromotionGuardOut
from spectral.domains.changesets.guarding_service import PLAN


def guard_out(guard: PromotionGuard) -> PromotionGuardOut:
    """A guard with its arms as they are now, and what it said over time."""
    points = [GuardPointOut.model_validate(point) for point in guard.history]
    latest = points[-1] if points else None
    arms = [
        GuardArmOut(
            version=guard.version,
            weight=1.0 - (guard.share or 0.0),
            sessions=(latest.n or 0) if latest else 0,
            mean=latest.mean if latest else None,
        )
    ]
    if guard.share is not None:
        arms.append(
            GuardArmOut(
                version=guard.previous_version,
                weight=guard.share,
                sessions=(latest.n_previous or 0) if latest else 0,
                mean=latest.mean_previous if latest else None,
            )
        )
    estimate = None
    if latest is not None and latest.mean is not None and latest.mean_previous is not None:
        estimate = latest.mean - latest.mean_previous
    kept = {
        name: getattr(guard, name)
        for name in PromotionGuardOut.model_fields
        if name in PromotionGuard.__table__.columns and name != "history"
    }
    return PromotionGuardOut(
        **kept,
        holdback=guard.share,
        arms=arms,
        effect=GuardEffectOut(
            estimate=estimate,
            low=latest.low if latest else None,
            high=latest.high if latest else None,
            confidence=1 - 2 * PLAN.alpha,
        ),
        margin=PLAN.margin,
        horizon=PLAN.horizon,
        history=points,
        started_at=guard.created_at,
    )
