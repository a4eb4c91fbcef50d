"""Opaque page tokens: a position, signed, and bound to the request it was given for.

A token holds where the next page starts (the key of the last row sent), so that any page costs what the first does. It is
signed, not encrypted: the position must not hold anything the caller may not see.
"""

import contextlib
import hashlib
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message
from itsdangerous import BadData, URLSafeSerializer

from shared.errors import Category, PowerFillError, Reason, invalid_field

MAX_TOKEN_LENGTH = 65_536
"""Characters a page token may have; longer ones are none of ours. A position holds texts of the tenant's."""

Position = Sequence[str | int | None]
"""Where the next page starts, as the reader of the pages wants it back."""


def request_digest(tenant_id: str, request: Message, rpc: str = "") -> str:
    """What a token is bound to: the tenant, the RPC (where one message serves several) and the request without its paging."""
    bare = type(request)()
    bare.CopyFrom(request)
    for name in ("page_token", "page_size"):
        if name in request.DESCRIPTOR.fields_by_name:
            bare.ClearField(name)
    parts = (tenant_id.encode(), rpc.encode(), request.DESCRIPTOR.full_name.encode(), bare.SerializeToString(deterministic=True))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:32]


class PageTokens:
    """Gives and takes tokens signed with a secret that all replicas of a service share."""

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeSerializer(secret, salt="powerfill.page", signer_kwargs={"digest_method": hashlib.sha256})

    def give(self, position: Position, digest: str) -> str:
        """The token of the page that starts after `position`, for the request with this digest."""
        token: str = self._serializer.dumps([digest, list(position)])
        return token

    def take(self, token: str, digest: str) -> list[Any]:
        """The position in a token.

        Raises PowerFillError (PAGE_TOKEN_INVALID) for a token that was not given here or was given for another request.
        """
        if len(token) > MAX_TOKEN_LENGTH:
            raise page_token_invalid()
        held: Any = None
        with contextlib.suppress(BadData, ValueError):
            held = self._serializer.loads(token)
        match held:
            case [bound_to, [*position]] if bound_to == digest:
                return position
        raise page_token_invalid()


def page_token_invalid() -> PowerFillError:
    """INVALID_ARGUMENT: the token does not belong to this request."""
    return PowerFillError(
        Category.INVALID_ARGUMENT,
        Reason.PAGE_TOKEN_INVALID,
        "the page token does not belong to this request; ask for the first page again, without a token",
    )


def checked_page_size(given: int, *, default: int, largest: int, field: str = "page_size") -> int:
    """The number of rows a page; 0 is not given. Raises PowerFillError (INVALID_FIELD) when out of range."""
    if not 0 <= given <= largest:
        raise invalid_field(field, f"{given} is not allowed; it must be from 1 to {largest}, or 0 for {default}")
    return given or default
