"""The question about one loan, apart from what it takes to answer it: who only asks it loads no compiler."""

from services.run_service.domain.options import RunOptions
from services.run_service.engine.explain.explanation import LoanView, NotInRun
from services.run_service.engine.frames import RunInputs


def ask_about_loan(inputs: RunInputs, options: RunOptions, loan_id: str) -> LoanView | NotInRun:
    """See `view.view_loan`."""
    from services.run_service.engine.explain.view import view_loan  # noqa: PLC0415 - it needs the compiler

    return view_loan(inputs, options, loan_id)
