from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from edge_handler.feed.times import back, epoch_seconds
from table_admin.inputs import iso

TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2199, 1, 1), timezones=st.just(UTC))  # it adds one


@given(TIMES)
def test_a_time_is_the_same_as_datetimes(when: datetime) -> None:
    assert epoch_seconds(iso(when.timestamp())) == int(datetime.fromisoformat(iso(when.timestamp())).timestamp())


@given(TIMES, st.integers(0, 86_400))
def test_a_time_before_sorts_before(when: datetime, seconds: int) -> None:
    text = iso(when.timestamp())
    found = back(text, seconds)
    assert found <= text
    assert found == iso((datetime.fromisoformat(text).replace(microsecond=0) - timedelta(seconds=seconds)).timestamp())
