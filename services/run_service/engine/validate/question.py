"""The question of a validation: what computes it is imported by the process that answers, as who asks needs no compiler."""

import polars as pl

from services.run_service.engine.frames import RunInputs
from services.run_service.engine.validate.validation import RunSide, Validation


def validate(inputs: RunInputs, run: RunSide, placements: pl.DataFrame, most_listed: int) -> Validation:
    """Check placements (columns of PLACEMENTS) against every hard rule, and compare them with the run whose inputs these are.

    At most `most_listed` violations, differences and price differences each are listed. Raises InputError where no run is
    possible.
    """
    from services.run_service.engine.validate.compute import validated  # noqa: PLC0415 - see the module's docstring

    return validated(inputs, run, placements, most_listed)
