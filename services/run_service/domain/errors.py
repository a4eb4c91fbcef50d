"""Errors that the domain and the engine raise and the application translates."""


class NotYet(Exception):  # noqa: N818 - it is no error of the caller's, the part is to come
    """Part of the specification that is not built yet: what, and what to do instead."""

    def __init__(self, what: str, instead: str) -> None:
        super().__init__(f"{what} is not available yet; {instead}")
        self.what, self.instead = what, instead


class LeaseLostError(Exception):
    """Somebody else works on the run, or it ended: whoever meets this writes nothing more about it."""


class InputError(Exception):
    """The tenant's tables make a run impossible: the message, fit for a caller, says which row and what to do about it.

    The engine raises it; the run ends FAILED with this message.
    """
