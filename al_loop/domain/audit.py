"""The audit trail: who changed what."""

from datetime import datetime
from typing import Any, Literal

import msgspec

Role = Literal["predict", "annotate", "ops"]
"""What a token may do; each may do what those before it may."""
TOKEN_ADDED, TOKEN_REVOKED = "addToken", "revokeToken"  # names of actions


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change that somebody made."""

    audit_id: int
    """Number of the entry; later ones are greater."""
    done_at: datetime
    """When it was done."""
    who: str | None
    """The person; null: a token that many share, or no tokens are set."""
    role: str | None
    """Role of the token; null: no tokens are set, or it was not done by a request."""
    action: str
    """What was done, by the `operationId` of the route, such as `promoteModel`; `addToken`, `revokeToken`."""
    campaign: str | None
    """The campaign that it concerns, by the name that it had; null: none."""
    detail: dict[str, Any]
    """What was sent with it: parts of the path, parameters and the body; long bodies are left out."""
