"""Every case of the page, over the broker; and the page, which must say the same."""
import page
import pytest
from cases import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_runs_over_the_broker(stage, case):
    verdict = stage.play(case, over_broker=True)
    if case.known:
        assert not verdict.passed, f"passes, though it is known to fail: {case.known}"
    elif not verdict.passed:
        plain = stage.control(case)
        assert plain.passed, f"fails without the broker too: {plain.reason}"
        pytest.fail(f"only over the broker: {verdict.reason}")


def test_the_page_says_the_same():
    """Of each language that is on it."""
    said = page.read_rows(page.PAGE.read_text())
    languages = {row[0] for row in said}
    expected = page.expected_rows(case for case in CASES if case.language in languages)
    assert said and said == expected, "write it anew with tests/end_to_end/compatibility/run"
