"""Changes of options, prices and trades that pairs which fail one filter alone ask for."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import polars as pl

from services.run_service.domain.options import MAX_DAYS, Kind
from services.run_service.engine.book import Book, Instrument
from services.run_service.engine.explain.changes import Action, Change, ChangeKind
from services.run_service.engine.explain.checks import THE_LOAN, Checks
from services.run_service.engine.explain.explanation import Failure
from services.run_service.engine.explain.values import Value, days_later, relative_change
from services.run_service.engine.pricing import STORABLE, Pricer, to_points
from services.run_service.engine.reach import Stage
from shared.money import PRICE_PLACES, scaled, unscaled

PAR = Decimal(100)
"""The price of what is added, points; a price floor can ask for more."""


def market_changes(book: Book, pricer: Pricer, checks: Checks) -> Iterator[Change]:
    """What each instrument and trade needs whose rule the loan passes and where it fails one filter alone, in no order."""
    matched = [number for number, failures in enumerate(checks.constraints) if not failures]
    for name in dict.fromkeys(book.constraints[number].investor_instrument for number in matched):
        instrument = book.instruments.get(name)
        if instrument is None:
            continue
        of_instrument, on_it = checks.instruments[name], checks.trades[name]
        if not on_it and len(of_instrument) == 1:
            yield from _new_trade(book, pricer, instrument)
        if not of_instrument:
            for trade, failures in on_it.items():
                if len(failures) == 1:
                    yield from _for_trade(book, pricer, instrument, trade, failures[0])


def _for_trade(book: Book, pricer: Pricer, instrument: Instrument, trade: int, failure: Failure) -> Iterator[Change]:
    trade_id = book.trades.ids[trade]
    day, eligible = int(book.trades.settle_day[trade]), int(book.loans.eligible_day[0])
    options = book.options
    match Stage[failure.stage], failure.option:
        case Stage.SETTLEMENT_WINDOW, "max_trade_settle_days":
            yield from _option(book, failure.option, options.max_trade_settle_days, day, trade_id)
        case Stage.SETTLEMENT_WINDOW, "eligible_settle_buffer_days":
            yield from _option(book, failure.option, options.eligible_settle_buffer_days, day - eligible, trade_id)
        case Stage.SETTLEMENT_WINDOW, "max_eligible_days":
            yield from _option(book, failure.option, options.max_eligible_days, eligible, trade_id)
        case Stage.SETTLEMENT_WINDOW, _ if failure.field == "settlement_date":
            yield _cell(
                book, ChangeKind.TRADE, trade_id, "settlement_date", failure.value, options.as_of_date, "pscat_trades",
                {"trade_id": trade_id}, trade_id,
            )  # fmt: skip
        case Stage.NO_PRICE, _:
            yield from _a_price(book, pricer, instrument, trade)
        case Stage.BELOW_PRICE_FLOOR, _:
            yield from _more_than_the_floor(book, pricer, instrument, trade, failure)


def _option(book: Book, name: str, before: int | Decimal, after: int | Decimal, trade_id: str) -> Iterator[Change]:
    """An option that is otherwise, where it can be."""
    if 0 <= after <= MAX_DAYS:
        relative = relative_change(before, after, book.options.max_trade_settle_days)
        yield Change(ChangeKind.OPTION, "", name, before, after, relative, trade_id=trade_id)


def _cell(
    book: Book, kind: ChangeKind, subject: str, field: str, before: Value | None, after: Value, table: str,
    key: dict[str, Value], trade_id: str,
) -> Change:  # fmt: skip
    relative = relative_change(before, after, book.options.max_trade_settle_days)
    return Change(kind, subject, field, before, after, relative, table, Action.SET, key, trade_id)


def _a_price(book: Book, pricer: Pricer, instrument: Instrument, trade: int) -> Iterator[Change]:
    """A today's price for the trade's instrument and settlement date, where nothing prices the trade."""
    trade_id = book.trades.ids[trade]
    if pricer.has_grid(trade_id) or pricer.base_price(trade, THE_LOAN)[1][0]:
        return
    row: dict[str, Value] = {
        "investor_instrument": instrument.name,
        "settlement_date": book.trades.frame["settlement_date"][trade],
        "price": _price_above_floor(book, pricer, instrument),
    }
    yield Change(
        ChangeKind.PRICE, instrument.name, "price", None, row["price"], None, "rmcat_todays_prices", Action.ADD, row, trade_id
    )


def _more_than_the_floor(book: Book, pricer: Pricer, instrument: Instrument, trade: int, failure: Failure) -> Iterator[Change]:
    """The floor down to the loan's price, or what the trade's price is taken from up by what is missing."""
    floor, price = book.options.bx_price_floor, failure.value
    if floor is None or not isinstance(price, Decimal):
        return
    trade_id, frame = book.trades.ids[trade], book.trades.frame
    yield from _option(book, failure.option, floor, price, trade_id)
    table, subject, before = "pscat_trades", trade_id, frame["price"][trade]
    key: dict[str, Value] = {"trade_id": trade_id}
    if pricer.has_grid(trade_id):
        grid = pricer.grid_of(trade_id)
        row = grid.frame.row(int(pricer.grid_row(grid, THE_LOAN)[0]), named=True)
        table, before = "pscat_trade_cash_grid", row["price"]
        key["sequence_number"] = row["sequence_number"]
    elif before is None:
        day, before = _todays_price(book, instrument, frame["settlement_date"][trade])
        table, subject = "rmcat_todays_prices", instrument.name
        key = {"investor_instrument": instrument.name, "settlement_date": day}
    after = before + (floor - price)
    if scaled(after, PRICE_PLACES) < STORABLE:
        yield _cell(book, ChangeKind.PRICE, subject, "price", before, after, table, key, trade_id)


def _todays_price(book: Book, instrument: Instrument, settles: dt.date) -> tuple[dt.date, Decimal]:
    """Date and price of what prices a trade of the instrument: the nearest date, of two equally near the earlier."""
    prices = book.tables["rmcat_todays_prices"].filter(pl.col("investor_instrument") == instrument.name)
    distance = (pl.col("settlement_date") - pl.lit(settles)).dt.total_days().abs()
    nearest = prices.sort(distance, "settlement_date").row(0, named=True)
    return nearest["settlement_date"], nearest["price"]


def _new_trade(book: Book, pricer: Pricer, instrument: Instrument) -> Iterator[Change]:
    """A trade of the instrument for the loan alone, which settles on the first day on which it could be delivered."""
    options, loans = book.options, book.loans
    eligible = int(loans.eligible_day[0])
    first_day = max(0, eligible + options.eligible_settle_buffer_days)
    is_too_late = options.max_eligible_days and not loans.has_close_date[0] and eligible > options.max_eligible_days
    if is_too_late or first_day > options.max_trade_settle_days:
        return
    trade_id = f"NEW-{instrument.name}"
    row: dict[str, Value] = {
        "trade_id": trade_id,
        "investor_instrument": instrument.name,
        "trade_date": options.as_of_date,
        "settlement_date": days_later(options.as_of_date, first_day),
        "trade_amount": loans.frame["loan_amount"][0],
        "pair_off_amount": Decimal(0),
        "delivered_amount": Decimal(0),
        "price": _price_above_floor(book, pricer, instrument),
        "tolerance_pct": Decimal(0),
        "status": "OPEN",
        "is_phantom": False,
    }
    yield Change(
        ChangeKind.TRADE, instrument.name, "trade", None, row["settlement_date"], None, "pscat_trades", Action.ADD, row, trade_id
    )


def _price_above_floor(book: Book, pricer: Pricer, instrument: Instrument) -> Decimal:
    """Par, or the least base price at which the loan's price is not under the floor."""
    floor = book.options.bx_price_floor
    if floor is None or instrument.kind is not Kind.CASH:
        return PAR
    added = int(to_points(pricer.adjustment(instrument, THE_LOAN).total)[0])
    enough = max(scaled(PAR, PRICE_PLACES), scaled(floor, PRICE_PLACES) - added)
    return unscaled(min(enough, STORABLE - 1), PRICE_PLACES)
