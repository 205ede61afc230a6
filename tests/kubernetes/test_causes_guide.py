"""What the tables of causes promise: what can break can fail, and the guide tells of every reason."""

from pathlib import Path

from engines.clusters.kubernetes import causes
from engines.reasons import EXPLANATIONS, Fixer, Reason

GUIDE = Path(__file__).resolve().parents[2] / "docs/guides/kubernetes-reasons.md"


def test_what_can_break_can_fail():
    hopeless = {rule.reason for table in causes.TABLES for rule in table if rule.hopeless_after is not None}
    ends = {rule.reason for table in (causes.ENDS, causes.LAST_WORDS) for rule in table}
    assert not {reason for reason in hopeless | ends if not EXPLANATIONS[reason].failure}


def test_the_guide_tells_of_every_reason_and_who_can_fix_it():
    rows = [line.split("|")[1:-1] for line in GUIDE.read_text().splitlines() if line.startswith("| `")]
    told = {Reason(reason.strip(" `")): (sentence.strip(), fixer.strip()) for reason, _, sentence, fixer in rows}
    words = {Fixer.NOBODY: "–", Fixer.ARTIST: "the user", Fixer.TENANT_ADMIN: "the team's admin", Fixer.OPERATOR: "an operator"}
    expected = {reason: (str(EXPLANATIONS[reason].sentence), words[EXPLANATIONS[reason].fixer]) for reason in causes.REASONS}
    assert told == expected
    assert len(rows) == len(told)
