import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltx_core.judge.cage.values import CannotCross, decode, encode, overwrite

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary()
    | st.binary().map(bytearray)
)
KEYS = st.none() | st.booleans() | st.integers() | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(st.integers(-(2**70), 2**70), min_size=6)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS, inner)
        | st.sets(KEYS)
        | st.frozensets(KEYS)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_encoded_comes_back_exactly(value):
    assert repr(normal(decode(encode(value)))) == repr(normal(value))


def normal(value):
    """Sets in a fixed order, so that reprs can be compared (nan is not equal to itself)."""
    if type(value) in (set, frozenset):
        return type(value).__name__, sorted(map(repr, value))
    if type(value) in (list, tuple):
        return type(value)(map(normal, value))
    if type(value) is dict:
        return {key: normal(item) for key, item in value.items()}
    return value


@settings(max_examples=300)
@given(VALUES, st.integers(0, 200), st.integers(0, 255))
def test_damaged_bytes_give_a_value_or_a_value_error_and_nothing_else(value, at, byte):
    data = bytearray(encode(value))
    data[at % len(data)] = byte
    for hostile in (bytes(data), bytes(data[: at % len(data)])):
        try:
            decode(hostile)
        except ValueError:
            continue


@given(st.binary(max_size=60))
def test_random_bytes_give_a_value_or_a_value_error_and_nothing_else(data):
    try:
        decode(data)
    except ValueError:
        return


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"l\xff\xff\xff\xff",
        b"I\xff\xff\xff\x7f",
        b"l\x01\0\0\0" * 1000,
        b"NN",
        b"S\x01\0\0\0l\0\0\0\0",
    ],
)
def test_malformed_bytes_are_refused_without_building_anything(data):
    with pytest.raises(ValueError, match="malformed"):
        decode(data)


def test_what_is_not_plain_data_is_refused():
    loop: list[object] = []
    loop.append(loop)
    for value in (object(), len, type("Int", (int,), {})(1), loop, iter([1]), [{1: object}]):
        with pytest.raises(CannotCross):
            encode(value)
    with pytest.raises(CannotCross, match="larger"):
        encode(["x" * 1000] * 10, limit=5000)


def test_an_overwritten_argument_keeps_its_inner_containers():
    inner, table = [1], {"a": [2], "b": 3}
    outer = [inner, table, 5]
    overwrite(outer, [[1, 7], {"a": [2, 8], "c": 4}, 6, 9])
    assert outer == [[1, 7], {"a": [2, 8], "c": 4}, 6, 9]
    assert outer[0] is inner
    assert outer[1] is table
    overwrite(outer, [])
    assert outer == []
