"""The table of all attacks, for the page on grading."""

from tests.support.course import ROOT

from .bank import ATTACKS, HANDED

PAGE = ROOT / "docs/grading.md"
MARKS = "<!-- attacks -->", "<!-- /attacks -->"


def table():
    """Markdown: a row an attack."""
    rows = ["| Attack | What it tries | What it gets |", "| --- | --- | --- |"]
    for attack in ATTACKS.values():
        points = sum(attack.points.values())
        gets = (
            f"no grade: “… {attack.refused} …”"
            if attack.refused
            else f"{points:g} of 18 points, as its answers are worth"
            if points
            else "nothing"
        )
        rows.append(f"| `{attack.name}` ({attack.family}) | {_cell(attack.tries)} | {gets} |")
    for handed in HANDED.values():
        gets = f"left out: “{handed.left}”" if handed.left else "each file counts for whoever handed it in"
        rows.append(f"| `{handed.name}` (handing in) | {_cell(handed.tries)} | {gets} |")
    return "\n".join(rows) + "\n"


def _cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;")


def write():
    """Put the table into its place in the page, made at the page's end where there is none."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Grading\n"
    if MARKS[0] not in text:
        text = f"{text.rstrip()}\n\n## Attacks\n\n{MARKS[0]}\n{MARKS[1]}\n"
    before, rest = text.split(MARKS[0])
    PAGE.write_text(f"{before}{MARKS[0]}\n{table()}{MARKS[1]}{rest.split(MARKS[1])[1]}", encoding="utf-8")
