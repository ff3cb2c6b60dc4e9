"""A hard budget: what a call may cost is reserved before it is made, so the budget can never be exceeded. Pure."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from spectral.domains.evaluations.errors import BudgetExhaustedError, UnpricedModelError
from spectral.platform.shared.money import nano_to_usd


@dataclass(frozen=True, slots=True)
class Spending:
    """Evaluations and nano-USD. Calls of unknown cost add no money here; a USD budget does not allow them."""

    evaluations: int = 0
    cost_nano_usd: int = 0

    def plus(self, evaluations: int, cost_nano_usd: int) -> "Spending":
        return Spending(self.evaluations + evaluations, self.cost_nano_usd + cost_nano_usd)


@dataclass(slots=True)
class Reservation:
    """A part of the budget that calls in flight may spend; ended once, by `Budget.settle` or `Budget.release`."""

    evaluations: int
    cost_nano_usd: int
    ended: bool = False


@dataclass(slots=True)
class _Account:
    """What was spent and is reserved; the parts of one budget share it."""

    spent: Spending = Spending()
    reserved: Spending = Spending()
    charged: set[Hashable] = field(default_factory=set)


class Budget:
    """What one subject (a scan, a validation, an experiment) may spend, in evaluations and in money.

    spent + reserved never exceeds the maximum, as long as a call costs no more than was reserved for it. After a
    restart `charge` counts again what the journal knows. Used from one event loop.
    """

    def __init__(self, max_evaluations: int, max_cost_nano_usd: int | None = None) -> None:
        """`max_cost_nano_usd` None means that money is not limited. Raises ValueError for a negative maximum."""
        if max_evaluations < 0 or (max_cost_nano_usd is not None and max_cost_nano_usd < 0):
            message = "a budget cannot be negative"
            raise ValueError(message)
        self.max_evaluations = max_evaluations
        self.max_cost_nano_usd = max_cost_nano_usd
        self._account = _Account()

    def part(self, max_evaluations: int) -> "Budget":
        """This budget under a lower limit of evaluations; what is spent or reserved through either counts in both."""
        part = Budget(min(max_evaluations, self.max_evaluations), self.max_cost_nano_usd)
        part._account = self._account
        return part

    @property
    def spent(self) -> Spending:
        """What was spent and, for calls that never answered, what was reserved for them."""
        return self._account.spent

    @property
    def evaluations_left(self) -> int:
        """How many evaluations can still be reserved."""
        return max(0, self.max_evaluations - self._account.spent.evaluations - self._account.reserved.evaluations)

    @property
    def cost_left_nano_usd(self) -> int | None:
        """How much money can still be reserved; None where it is not limited."""
        if self.max_cost_nano_usd is None:
            return None
        return max(0, self.max_cost_nano_usd - self._account.spent.cost_nano_usd - self._account.reserved.cost_nano_usd)

    def require_evaluations(self, evaluations: int) -> None:
        """Raises BudgetExhaustedError unless this many evaluations can be reserved now."""
        if evaluations > self.evaluations_left:
            raise BudgetExhaustedError(
                f"{evaluations} evaluations are needed, {self.evaluations_left} of {self.max_evaluations} are left",
                limit="evaluations",
                needed=evaluations,
                left=self.evaluations_left,
            )

    def reserve(self, evaluations: int, cost_nano_usd: int | None, *, model: str) -> Reservation:
        """Set aside what the next calls can cost at most.

        cost_nano_usd: None where the model's price is unknown. Raises BudgetExhaustedError, and UnpricedModelError
        where money is limited and the price is unknown; nothing is reserved then.
        """
        self.require_evaluations(evaluations)
        left = self.cost_left_nano_usd
        if left is not None:
            if cost_nano_usd is None:
                raise UnpricedModelError(model)
            if cost_nano_usd > left:
                raise BudgetExhaustedError(
                    f"A call may cost {nano_to_usd(cost_nano_usd)} USD, {nano_to_usd(left)} USD are left",
                    limit="cost",
                    needed=nano_to_usd(cost_nano_usd),
                    left=nano_to_usd(left),
                )
        reservation = Reservation(evaluations, cost_nano_usd or 0)
        self._account.reserved = self._account.reserved.plus(evaluations, reservation.cost_nano_usd)
        return reservation

    def settle(self, reservation: Reservation, cost_nano_usd: int | None) -> None:
        """The calls were made: their cost replaces the reservation; an unknown cost keeps all of it.

        Raises ValueError when it was settled or released before.
        """
        self._end(reservation)
        spent = reservation.cost_nano_usd if cost_nano_usd is None else cost_nano_usd
        self._account.spent = self._account.spent.plus(reservation.evaluations, spent)

    def release(self, reservation: Reservation) -> None:
        """The calls were not made: nothing was spent. Raises ValueError when it was settled or released before."""
        self._end(reservation)

    def _end(self, reservation: Reservation) -> None:
        if reservation.ended:
            message = "this reservation has ended before"
            raise ValueError(message)
        reservation.ended = True
        self._account.reserved = self._account.reserved.plus(-reservation.evaluations, -reservation.cost_nano_usd)

    def charge(self, evaluations: int, cost_nano_usd: int, *, once: Hashable) -> None:
        """Count what was spent before this process; a second charge under the same `once` is ignored.

        Never refused, since it has happened already.
        """
        if once not in self._account.charged:
            self._account.charged.add(once)
            self._account.spent = self._account.spent.plus(evaluations, cost_nano_usd)
