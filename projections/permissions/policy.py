"""The clause that list queries add, so that what is forbidden does not exist in their counts.

Implements design A6: the decision compiled into SQL, from columns the queried view declares.
Called by adapters, which pass the clause into the view's query; views stay apart.
"""

from __future__ import annotations

import sqlalchemy as sa

from registry.access.decision import decide
from registry.access.values import Resource, Subject


def clause(subject: Subject, action: str, kind: str) -> sa.ColumnElement[bool]:
    """Return the condition on rows of `kind` that `subject` may see by `action`.

    Rights go by role alone so far, so the answer is all rows or none.
    """
    allowed = decide(subject, action, Resource(kind)).allowed
    return sa.true() if allowed else sa.false()
