"""What README, docs and presets quote of the results is what the results say."""

from dataclasses import replace

from analysis.claims.judge import judge
from analysis.results.__main__ import QUOTING, quoted
from analysis.results.findings import open_report
from analysis.results.quoted import END, START, page_quoting, preset_quoting
from analysis.runs.sources import RECORDED
from analysis.verdicts.plan import CLAIMS
from analysis.verdicts.verdict import UNDECIDED, Size

PRESET = """# @package _global_
# A question?
#
# Cost: 2 points.
# Found: an older outcome
# over two lines.
defaults:
  - _self_
"""


def without_runs():
    return {one.key: one for one in judge({})}


def test_the_repository_quotes_its_recorded_results():
    for path in QUOTING:
        assert START in path.read_text(), path
    assert quoted(open_report(str(RECORDED))) == {}


def test_what_stands_between_the_marks_is_written_again():
    page = f"Before.\n\n{START}\nold 12\n{END}\n\nAfter.\n"
    text = page_quoting(page, without_runs(), ["accuracy", "sqrt_large"])
    assert text.startswith(f"Before.\n\n{START}\n{len(CLAIMS)} claims: ")
    assert text.endswith(f"{END}\n\nAfter.\n")
    assert "old 12" not in text
    assert "- **Not testable here**: Training with Adam reaches" in text
    assert "- **Not run yet**: Square-root scaling wins over linear scaling at 64 nodes.\n" in text
    assert page_quoting("No marks.\n", without_runs(), []) == "No marks.\n"


def test_a_bound_is_quoted_as_a_bound():
    verdicts = without_runs()
    key = "small_batch_data"
    known = replace(verdicts[key], verdict=UNDECIDED, bound="low", effect=Size(2.12, 1.02, 4.38, 4))
    text = page_quoting(f"{START}{END}", verdicts | {key: known}, [key])
    assert "64 nodes take at least 2.12 (1.02 or more) times the FOVs" in " ".join(text.split())


def test_a_preset_names_the_verdicts_on_its_claims():
    verdicts = without_runs()
    bare = PRESET.replace("# Found: an older outcome\n# over two lines.\n", "")
    assert preset_quoting(PRESET, "rules_low_base", verdicts) == bare
    verdicts["linear_low_base"] = verdicts["accuracy"]
    text = preset_quoting(PRESET, "rules_low_base", verdicts)
    found = "# Found: not testable here `linear_low_base`. See RESULTS.md.\n"
    assert text == bare.replace("defaults:", f"{found}defaults:")
    assert preset_quoting(text, "rules_low_base", verdicts) == text
