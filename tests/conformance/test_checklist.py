"""Every row of Node's net that the broker has a part in is named by a scenario; docs/net-api.md says so."""
import checklist
from scenario import load_all

SCENARIOS = load_all()
NAMED = checklist.naming(SCENARIOS)
ROWS = {row.id: row for row in checklist.rows()}
BROKER_ROWS = [row.id for row in ROWS.values() if row.side != "client"]
OPEN = checklist.open_rows()
ELSEWHERE = checklist.elsewhere()


def test_the_checklist_is_whole():
    assert len(checklist.rows()) == len(ROWS) == 269


def test_each_row_of_the_broker_is_named_or_open():
    missing = [row for row in BROKER_ROWS if row not in NAMED and row not in OPEN and row not in ELSEWHERE]
    assert not missing, f"no scenario names {' '.join(missing)}"


def test_each_row_of_the_client_is_tested():
    assert sorted(checklist.client_rows()) == sorted(row.id for row in ROWS.values() if row.side == "client")


def test_open_rows_are_rows_that_no_scenario_names():
    done = [row for row in OPEN if row in NAMED]
    assert not done, f"take out of open_rows.txt: {' '.join(done)}"
    assert set(OPEN) <= set(BROKER_ROWS) and len(set(OPEN)) == len(OPEN)


def test_rows_shown_elsewhere_are_not_shown_here():
    assert not [row for row in ELSEWHERE if row in NAMED or row in OPEN or row not in BROKER_ROWS]
    tests = [text for text in ELSEWHERE.values() if text.startswith("tests/")]
    assert not [name for name in tests if not (checklist.ROOT / name).exists()]


def test_scenarios_name_rows_that_exist():
    unknown = {row: scenarios[0].place for row, scenarios in NAMED.items() if row not in ROWS}
    assert not unknown


def test_files_that_implement_rows_exist():
    files = checklist.implementation()
    assert set(files) == set(ROWS)
    missing = {name for names in files.values() for name in names if not (checklist.ROOT / name).exists()}
    assert not missing


def test_the_page_is_fresh():
    assert checklist.PAGE.read_text() == checklist.page(SCENARIOS), "run tests/conformance/checklist.py"
