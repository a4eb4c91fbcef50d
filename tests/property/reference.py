"""What a run must give, from its inputs: the specification written a second time, slow and simple, for tenants of a few rows.

The engine is compared with it. `plain_facts` holds what is settled before a loan is placed; here are pools, value, the best of
all allocations, and the placement that `plain_passes` gives.
"""

from fractions import Fraction

from tests.property.plain_facts import Facts
from tests.property.plain_passes import Passes


class Reference(Facts):
    """The answer of the specification."""

    def leaves(self, name: str, trade_id: str) -> bool:
        """Whether the loan leaves another trade's pool when it goes to this trade."""
        return name in self.current and (trade_id, self.current[name]) not in self.related

    def is_pooled(self, trade_id: str) -> bool:
        """Whether loans on the trade are put into pools."""
        return self.instruments[self.trades[trade_id]["investor_instrument"]]["kind"] in ("TBA", "SPEC")

    def action(self, name: str, trade_id: str | None) -> str:
        """What happens to the loan's place in a pool."""
        if trade_id is None:
            return "LEAVING"
        if self.locked.get(name) == trade_id:
            return "LOCKED"
        if not self.is_pooled(trade_id):
            return "UNPOOLED"
        if name not in self.current:
            return "JOINING"
        return "SWITCHING" if self.leaves(name, trade_id) else "REMAINING"

    def recommended(self, placement: dict[str, str]) -> dict[str, str | None]:
        """The pool of each allocated loan."""
        room = dict(self.related)
        pools: dict[str, str | None] = {}
        moving: list[tuple[int, Fraction, str]] = []
        staying = dict(self.outside)
        for name, trade_id in placement.items():
            if not self.is_pooled(trade_id):
                pools[name] = None
            elif name in self.current and not self.leaves(name, trade_id):
                pools[name] = self.current[name]
                staying[self.current[name]] = staying.get(self.current[name], Fraction(0)) + self.amount[name]
            else:
                moving.append((self.rank[trade_id], -self.amount[name], name))
        for key in room:
            room[key] -= staying.get(key[1], Fraction(0))
        for _, _, name in sorted(moving):
            trade_id = placement[name]
            choices = [key for key in room if key[0] == trade_id]
            if not choices:
                pools[name] = f"NEW-{trade_id}"
                continue
            key = min(choices, key=lambda one: (-room[one], one[1]))
            room[key] -= self.amount[name]
            pools[name] = key[1]
        return pools

    def fallback(self, name: str) -> Fraction:
        """What the loan is worth outside, points."""
        if self.synthetic.get(name):
            return self.synthetic[name][0][0] - Fraction(self.options.synthetic_spread)
        own = [candidate.score for (loan, _), candidate in self.candidates.items() if loan == name]
        return max(own) - Fraction(self.options.unsold_discount) if own else Fraction(0)

    def lock_score(self, name: str) -> Fraction:
        """Score of a locked loan on its trade; 0 where its price cannot be computed."""
        trade = self.trades[self.locked[name]]
        base = self.base(name, trade)
        if base is None:
            return Fraction(0)
        return self.scored(name, self.instruments[trade["investor_instrument"]], base, trade["settlement_date"])[2]

    def points(self, name: str, trade_id: str) -> Fraction:
        """Score less switch cost of a loan on a trade."""
        if self.locked.get(name) == trade_id:
            return self.lock_score(name)
        cost = Fraction(self.options.switch_cost) if self.leaves(name, trade_id) else Fraction(0)
        return self.candidates[name, trade_id].score - cost

    def pair_off(self, trade_id: str) -> Fraction:
        """Points on every dollar of shortfall."""
        trade = self.trades[trade_id]
        friction = Fraction(self.options.pair_off_cost[self.instruments[trade["investor_instrument"]]["kind"]])
        market = self.market(trade["investor_instrument"], trade["settlement_date"])
        above = Fraction(0) if market is None or trade["price"] is None else market - Fraction(trade["price"])
        return friction + max(Fraction(0), above)

    def filled(self, placement: dict[str, str]) -> dict[str, Fraction]:
        """Dollars on every trade."""
        total = dict.fromkeys(self.trades, Fraction(0))
        for name, trade_id in placement.items():
            total[trade_id] += self.amount[name]
        return total

    def value(self, placement: dict[str, str]) -> Fraction:
        """The value of an allocation, dollars, unrounded."""
        filled = self.filled(placement)
        total = sum((self.amount[name] * self.points(name, trade_id) for name, trade_id in placement.items()), Fraction(0))
        total += sum((self.amount[name] * self.fallback(name) for name in self.loans if name not in placement), Fraction(0))
        for trade_id, trade in self.trades.items():
            if trade["counts"]:
                total -= self.pair_off(trade_id) * max(Fraction(0), trade["lo"] - filled[trade_id])
        return total / 100

    def run_passes(self) -> tuple[dict[str, str], dict[str, str]]:
        """The placement that PASSES gives, and the pass that put each loan there."""
        return Passes(self).execute()

    def optimum(self) -> Fraction:
        """The best value of all allocations, by trying every one; cents and 1e-8 points as integers, to be quick."""
        free = [name for name in self.loans if name not in self.locked]
        trade_ids = [trade_id for trade_id, trade in self.trades.items()]
        cents = {name: int(self.amount[name] * 100) for name in self.loans}
        gain = {
            (name, trade_id): cents[name] * int((self.points(name, trade_id) - self.fallback(name)) * 10**8)
            for name, trade_id in self.candidates
            if name in free
        }
        choices = [(cents[name], [(trade_ids.index(t), gain[name, t]) for n, t in gain if n == name]) for name in free]
        lo = [int(trade["lo"] * 100) if trade["counts"] else 0 for trade in self.trades.values()]
        hi = [int(trade["hi"] * 100) for trade in self.trades.values()]
        cost = [int(self.pair_off(trade_id) * 10**8) for trade_id in trade_ids]

        def penalty(fill: list[int]) -> int:
            return sum(c * max(0, low - f) for c, low, f in zip(cost, lo, fill, strict=True))

        def best(position: int, fill: list[int], earned: int) -> int:
            if position == len(choices):
                return earned - penalty(fill)
            amount, options = choices[position]
            top = best(position + 1, fill, earned)
            for trade, more in options:
                if fill[trade] + amount <= hi[trade]:
                    fill[trade] += amount
                    top = max(top, best(position + 1, fill, earned + more))
                    fill[trade] -= amount
            return top

        start = [int(dollars * 100) for dollars in self.filled(self.locked).values()]
        return self.value(dict(self.locked)) + Fraction(best(0, list(start), 0) + penalty(start), 10**12)
