import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.judge.comparison import same_output


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ("1 2\n3\n", "1 2\n3"),
        ("1 2 \n3\t\n\n\n", "1 2\n3"),
        ("0.3333333333", "0.3333333"),
        ("a 1e3", "a 1000.0"),
        ("1  2", "1 2"),
        ("", "\n"),
        ("nan", "nan"),
        ("1.0", "1"),
    ],
)
def test_outputs_that_count_as_equal(actual, expected):
    assert same_output(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ("1", "2"),
        ("1 2", "1 2 3"),
        ("1\n\n2", "1\n2"),
        ("0.333", "0.334"),
        ("1000000000", "1000000001"),
        ("5", "inf"),
        ("inf", "5"),
        ("nan", "5"),
        ("", "0"),
        ("yes", "Yes"),
    ],
)
def test_outputs_that_do_not(actual, expected):
    assert not same_output(actual, expected)


@given(st.text())
def test_every_text_equals_itself_with_blanks_behind_it(text):
    assert same_output(text, text)
    assert same_output(text + "  \n\n", text)
