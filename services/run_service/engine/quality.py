"""Rows that point nowhere or make no sense: they are left out or set right, counted, and never stop a run.

Specification 01 section 2 names them; each kind becomes one finding with the keys of some rows.
"""

from collections.abc import Callable

import polars as pl

from services.run_service.domain.findings import Code, Finding, Severity, warning
from services.run_service.domain.options import Kind, LoanStatus, RunOptions
from services.run_service.engine.frames import INPUT_TABLES, LOAN_FIELDS, RunInputs
from services.run_service.engine.stop import Stop

Warn = Callable[[Finding], None]


def clean_tables(inputs: RunInputs, options: RunOptions, warn: Warn, stop: Stop) -> dict[str, pl.DataFrame]:
    """The input tables without the rows that cannot be used; what was left out is told to `warn`.

    Raises RunCancelledError after a cancel.
    """
    for column in sorted(inputs.missing_columns):
        message = f"{column} is missing in the lender's tables; fields that need it are unset"
        warn(warning(Code.UPSTREAM_SCHEMA, column, message, [], "add the column, or go on without"))
    for column, count in sorted(inputs.unreadable.items()):
        message = f"{count} values of {column} are not of the column's type or out of range and count as missing"
        warn(Finding(Code.DATA_QUALITY, Severity.WARNING, column, message, count))
    tables = {}
    for name in INPUT_TABLES:
        stop.checkpoint()
        tables[name] = _usable(name, inputs.tables[name], warn)
    cleaner = _Cleaner(tables, warn)
    cleaner.instruments()
    cleaner.trades()
    cleaner.prices_and_curves()
    stop.checkpoint()
    cleaner.pools_and_postings()
    stop.checkpoint()
    cleaner.lockdowns(options)
    cleaner.loans()
    return tables


def _usable(name: str, frame: pl.DataFrame, warn: Warn) -> pl.DataFrame:
    """Rows with everything that is needed, one a key, in the order of all columns (a key's columns come first)."""
    spec = INPUT_TABLES[name]
    complete = frame.drop_nulls(list(spec.needed))
    if len(complete) < len(frame):
        lacking = frame.filter(pl.any_horizontal(pl.col(list(spec.needed)).is_null()))
        message = f"rows of {name} without {' or '.join(spec.needed)} are ignored"
        warn(warning(Code.DATA_QUALITY, name, message, _keys(lacking, spec.key or spec.needed[:1])))
    if spec.key:
        by_key = complete.sort(spec.key)
        as_before = [pl.col(column) == pl.col(column).shift() for column in spec.key]
        if not by_key.select(pl.all_horizontal(as_before).any()).item():
            return by_key
    ordered = complete.sort(list(spec.columns), nulls_last=True)
    if not spec.key:
        return ordered
    unique = ordered.unique(list(spec.key), keep=spec.kept, maintain_order=True)
    if len(unique) < len(ordered):
        repeated = ordered.filter(pl.struct(spec.key).is_duplicated())
        message = f"rows of {name} repeat {', '.join(spec.key)}: of each only the {spec.kept} in the order of all columns counts"
        warn(warning(Code.DATA_QUALITY, name, message, sorted(set(_keys(repeated, spec.key)))))
    return unique


def _keys(frame: pl.DataFrame, columns: tuple[str, ...]) -> list[str]:
    texts = [pl.col(column).cast(pl.String).fill_null("?") for column in columns]
    return frame.select(pl.concat_str(texts, separator="/").alias("key"))["key"].to_list()


class _Cleaner:
    """One method a group of tables; each replaces what it cleans."""

    def __init__(self, tables: dict[str, pl.DataFrame], warn: Warn) -> None:
        self.tables, self.warn = tables, warn

    def drop(self, name: str, bad: pl.Expr, message: str, remedy: str = "", code: Code = Code.DATA_QUALITY) -> None:
        """Leave out the rows of a table for which `bad` holds, with a finding if there are any."""
        frame = self.tables[name]
        mask = frame.select(bad.fill_null(value=False).alias("bad"))["bad"]
        if mask.any():
            spec = INPUT_TABLES[name]
            self.warn(warning(code, name, message, _keys(frame.filter(mask), spec.key or spec.needed[:2]), remedy))
            self.tables[name] = frame.filter(~mask)

    def tell(self, name: str, which: pl.Expr, message: str, remedy: str = "", code: Code = Code.DATA_QUALITY) -> None:
        """A finding about rows that stay."""
        rows = self.tables[name].filter(which)
        if len(rows):
            self.warn(warning(code, name, message, _keys(rows, INPUT_TABLES[name].key or ("loan_id",)), remedy))

    def instruments(self) -> None:
        """An instrument must be of a known kind."""
        kinds = [str(kind) for kind in Kind]
        self.drop(
            "pscat_instruments", ~pl.col("kind").is_in(kinds), f"instruments of a kind other than {', '.join(kinds)} are ignored"
        )

    def trades(self) -> None:
        """Trades that take no part although they are open, and their grid rows."""
        known = self.tables["pscat_instruments"]["investor_instrument"].to_list()
        is_open = pl.col("status") == "OPEN"
        need = pl.col("trade_amount") - pl.col("pair_off_amount") - pl.col("delivered_amount")
        self.drop(
            "pscat_trades", pl.col("tolerance_pct") < 0, "trades with a negative tolerance are ignored", "correct tolerance_pct"
        )
        unknown = is_open & ~pl.col("investor_instrument").is_in(known)
        self.tell(
            "pscat_trades", unknown, "open trades of an unknown instrument take no part", "add the instrument", Code.OPEN_TRADES
        )
        self.tell("pscat_trades", is_open & pl.col("is_phantom"), "phantom trades take no part", "", Code.OPEN_TRADES)
        self.tell(
            "pscat_trades",
            is_open & (need < 0),
            "open trades are over-delivered and take no part",
            "settle them",
            Code.OPEN_TRADES,
        )
        rules = self.tables["pfill_sec_rules"]["rule_name"].to_list()
        names_rule = pl.col("syntax_name").fill_null("") != ""
        message = "grid rows with an unknown rule are ignored"
        self.drop("pscat_trade_cash_grid", names_rule & ~pl.col("syntax_name").is_in(rules), message, "create the rule")
        trade_ids = self.tables["pscat_trades"].select("trade_id")
        orphans = self.tables["pscat_trade_cash_grid"].join(trade_ids, on="trade_id", how="anti")
        self.tell_frame("pscat_trade_cash_grid", orphans, "grid rows of an unknown trade are ignored")

    def tell_frame(self, name: str, rows: pl.DataFrame, message: str, code: Code = Code.DATA_QUALITY) -> None:
        """A finding about rows found by a join; they have no effect where they are."""
        if len(rows):
            self.warn(warning(code, name, message, _keys(rows, INPUT_TABLES[name].key or ("loan_id",))))

    def prices_and_curves(self) -> None:
        """Prices of unknown instruments, payups that cannot apply, empty ranges."""
        known = self.tables["pscat_instruments"]["investor_instrument"].to_list()
        unknown = ~pl.col("investor_instrument").is_in(known)
        numeric = [name for name, dtype in LOAN_FIELDS.items() if dtype.is_numeric()]
        self.drop("rmcat_todays_prices", unknown, "today's prices of an unknown instrument are ignored")
        self.drop("rmusr_payups", unknown, "payups of an unknown instrument are ignored")
        self.drop("rmusr_payups", pl.col("div_by") == 0, "payups with div_by 0 are ignored", "correct div_by")
        no_field = ~pl.col("attribute").is_in(numeric)
        self.drop("rmusr_payups", no_field, "payups on a field that is unknown or not numeric are ignored", "correct attribute")
        self.drop("rmusr_payups", pl.col("low_value") > pl.col("high_value"), "payups with low_value over high_value are ignored")
        self.drop("pfill_carry_cost", pl.col("from_day") > pl.col("to_day"), "carry rows with from_day over to_day are ignored")

    def pools_and_postings(self) -> None:
        """Relations and postings of unknown pools or loans; loans posted more than once."""
        pools, loans = self.tables["pscat_pools"].select("pool_name"), self.tables["loan"].select("loan_id")
        relation = self.tables["pscat_trades_pools_relation"]
        orphans = relation.join(pools, on="pool_name", how="anti")
        self.tell_frame("pscat_trades_pools_relation", orphans, "relations of a trade to an unknown pool are ignored")
        trades = self.tables["pscat_trades"].select("trade_id")
        unknown = relation.join(trades, on="trade_id", how="anti")
        self.tell_frame("pscat_trades_pools_relation", unknown, "relations of a pool to an unknown trade have no effect")
        self.tables["pscat_trades_pools_relation"] = relation.join(pools, on="pool_name", how="semi", maintain_order="left")
        postings = self.tables["pscat_pool_loans"]
        nowhere = pl.concat([postings.join(pools, on="pool_name", how="anti"), postings.join(loans, on="loan_id", how="anti")])
        self.tell_frame("pscat_pool_loans", nowhere.unique(), "postings of an unknown loan or pool are ignored")
        kept = postings.join(pools, on="pool_name", how="semi").join(loans, on="loan_id", how="semi").sort("loan_id", "pool_name")
        self.tables["pscat_pool_loans"] = kept
        forming = self.tables["pscat_pools"].filter(pl.col("pool_status") == "FORMING").select("pool_name")
        twice = kept.join(forming, on="pool_name", how="semi").filter(pl.col("loan_id").is_duplicated()).unique("loan_id")
        self.tell_frame("pscat_pool_loans", twice, "loans posted to more than one forming pool: the latest posting counts")

    def lockdowns(self, options: RunOptions) -> None:
        """Expired locks are ignored, locks of unknown loans told."""
        locks = self.tables["pfill_lockdown"].filter(pl.col("expires_on").fill_null(options.as_of_date) >= options.as_of_date)
        loans = self.tables["loan"].select("loan_id")
        unknown = locks.join(loans, on="loan_id", how="anti")
        self.tell_frame("pfill_lockdown", unknown, "lockdowns of an unknown loan are ignored", Code.LOCKDOWN)
        self.tables["pfill_lockdown"] = locks.join(loans, on="loan_id", how="semi").sort(
            "loan_id", "trade_id", "reason", nulls_last=True
        )
        trades = self.tables["pscat_trades"].select("trade_id")
        nowhere = self.tables["pfill_lockdown"].filter(pl.col("trade_id").is_not_null()).join(trades, on="trade_id", how="anti")
        self.tell_frame(
            "pfill_lockdown", nowhere, "lockdowns to an unknown trade keep their loan out of allocation", Code.LOCKDOWN
        )
        several = self.tables["pfill_lockdown"].filter(pl.col("loan_id").is_duplicated()).unique("loan_id")
        self.tell_frame(
            "pfill_lockdown", several, "loans with several lockdowns: one to a participating trade wins", Code.LOCKDOWN
        )

    def loans(self) -> None:
        """Statuses that are none of the pipeline's are out of scope."""
        unknown = ~pl.col("status_code").is_in([str(status) for status in LoanStatus]).fill_null(value=False)
        self.tell("loan", unknown, "loans with an unknown status_code are out of scope", "correct status_code")
