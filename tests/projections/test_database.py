"""What a database says that cannot serve now is told as such, not as a fault of ours."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from projections.database import ViewsAway, told_when_away


def test_when_every_connection_is_in_use_the_views_are_away(tmp_path: Path) -> None:
    engine = sa.create_engine(
        f"sqlite:///{tmp_path / 'views.db'}", pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    with engine.connect(), pytest.raises(ViewsAway), told_when_away():
        engine.connect()
    with told_when_away():
        engine.connect().close()
    engine.dispose()
