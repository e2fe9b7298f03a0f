"""Role labels of other languages say what Python's say."""

import pytest

from voltx_core.errors import DataError
from voltx_core.frame import ROLES
from voltx_core.translator.roles import UNLABELLED, distribution, label_characters, label_tokens
from voltx_core.translator.tokenizer import CodeTokenizer

JAVASCRIPT = """function solve(xs) {
  let total = 0;
  for (const x of xs) { if (x > 2) { total += Math.abs(x); } }
  try { check(total); } catch (e) { throw e; }
  switch (total) { case 1: return 7; }
  return xs.map(x => x * 2);
}
"""
JAVA = """import java.util.List;
class Main {
  static int solve(List<Integer> xs) {
    int total = 0;
    for (int x : xs) { if (x > 2) { total += Math.abs(x); } }
    try { check(total); } catch (Exception e) { throw e; }
    switch (total) { case 1: return 7; }
    return total;
  }
}
"""
RUST = """use std::fs;
fn solve(xs: &[i64]) -> i64 {
    let mut total = 0;
    for x in xs { if *x > 2 { total += x.abs(); } }
    if total < 0 { panic!("never"); }
    match total { 1 => 7, _ => 8 };
    return total;
}
"""
GO = """package main
import "fmt"
func solve(xs []int) int {
	total := 0
	for _, x := range xs { if x > 2 { total += abs(x) } }
	if total < 0 { panic("never") }
	switch total { case 1: return 7 }
	return total
}
"""
CODE = {"javascript": JAVASCRIPT, "java": JAVA, "rust": RUST, "go": GO}
COMMON = {"solve": "agent", "for ": "time", "if ": "instrument", "abs": "predicate", "7": "patient"}
OWN = {
    "javascript": {"throw": "cause", "switch": "result", "return xs": "location", "=> x": "manner"},
    "java": {"throw": "cause", "switch": "result", "return t": "location", "import": "manner"},
    "rust": {"panic": "cause", "match": "result", "return": "location", "use": "manner"},
    "go": {"panic": "cause", "switch": "result", "return t": "location", "import": "manner"},
}


@pytest.mark.parametrize("language", CODE)
def test_each_construct_gets_the_slot_it_has_in_python(language: str) -> None:
    code = CODE[language]
    labels = label_characters(code, language)
    for fragment, role in (COMMON | OWN[language]).items():
        found = labels[code.index(fragment)]
        assert found != UNLABELLED, fragment
        assert ROLES[found] == role, fragment


@pytest.mark.parametrize("language", CODE)
def test_a_program_that_does_not_parse_is_unlabelled(language: str) -> None:
    assert set(label_characters("if ( { for = 3 ]] fn (", language)) == {UNLABELLED}


@pytest.mark.parametrize("language", CODE)
def test_wide_characters_move_no_label(language: str) -> None:
    code = CODE[language]
    wide = f"// äöü€😀\n{code}"
    if language == "go":  # a comment may stand before the package clause
        assert wide.index("package") == len("// äöü€😀\n")
    before = label_characters(code, language)
    assert label_characters(wide, language)[len(wide) - len(code) :] == before


def test_tokens_of_another_language_are_labelled_through_their_spans() -> None:
    tokenizer = CodeTokenizer.train([GO] * 20, 400)
    labels = label_tokens(tokenizer, [GO], 200, "go")
    shares = distribution(labels)
    assert shares["time"] > 0
    assert shares["instrument"] > 0
    assert sum(shares.values()) == pytest.approx(1, abs=0.01)


def test_a_language_without_roles_is_an_error_that_names_those_with() -> None:
    with pytest.raises(DataError, match="rust"):
        label_characters("x", "cobol")
