"""What an instructor reads of a class: a page and a table for each lesson."""

import csv
import html
import io
import re
import statistics
from collections import Counter

from course_lib.checks.verdict import NOT_ATTEMPTED, NOT_YET, PASSED, rich

COLOURS = {PASSED: "#009E73", NOT_YET: "#D55E00", NOT_ATTEMPTED: "#B0B0B0"}
MOST_MESSAGES = 20
STYLE = """body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em;line-height:1.4;color:#222}
table{border-collapse:collapse;margin:.5em 0}td,th{padding:.2em .7em;text-align:left;vertical-align:top;border-bottom:1px solid #ddd}
td.n,th.n{text-align:right;white-space:nowrap}.bar{display:flex;width:22em;height:1em}.bar span{display:block;height:100%}
.part td:first-child{padding-left:2em}.warn{border-left:4px solid #D55E00;padding:.3em .8em}
.hist{display:flex;align-items:flex-end;height:8em;gap:2px}.hist div{width:1.6em;text-align:center;font-size:.75em}
.hist i{display:block;background:#0072B2}"""


def table(lesson, records, scores, faults):
    """The class as CSV: a row a student, a column an exercise and a named part (1 it holds, 0 not, empty: no grade)."""
    columns = _columns(records)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ["student", "lesson", "score", "max_score", "waits_for_a_person"]
    writer.writerow(
        [
            *head,
            *(f"{name}: {part}" if part else name for name, part in columns),
            "cpu_seconds",
            "memory_mb",
            "sandbox",
            "remark",
        ]
    )
    for record in records:
        graded, found = record["graded"], scores.get(record["student"], {})
        cells = []
        for name, part in columns:
            entry = graded["checks"].get(name)
            held = {p[0]: int(p[2] == PASSED) for p in entry["parts"]} if entry else {}
            cells.append("" if not entry else held.get(part, 0) if part else f"{entry['points']:g}")
        remark = " ".join([graded["unreadable"], record.get("note", ""), *graded["notes"]]).strip()
        writer.writerow(
            [
                _cell(record["student"]),
                lesson,
                f"{found.get('score', 0):g}",
                f"{found.get('most', 0):g}",
                len(found.get("manual", ())),
                *cells,
                f"{graded['cpu']:.2f}",
                f"{graded['memory']:.0f}",
                "yes" if graded["safe"] else "NO",
                _cell(remark),
            ]
        )
    for student, fault in faults.items():
        writer.writerow(
            [
                _cell(student),
                lesson,
                "",
                "",
                "",
                *("" for _ in columns),
                "",
                "",
                "",
                f"not graded, through no fault of the submission: {fault}",
            ]
        )
    return out.getvalue()


def _cell(text):
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text


def _columns(records):
    """(check, part) of all checks in order, each check itself first with part ""."""
    known = {}
    for record in records:
        for name, entry in record["graded"]["checks"].items():
            parts = known.setdefault(name, [])
            parts += [p[0] for p in entry["parts"] if p[0] not in parts]
    return [(name, part) for name, parts in known.items() for part in ("", *(parts if len(parts) > 1 else ()))]


def page(lesson, records, scores, faults, left):
    """The class as HTML. `scores`: `book.scores`; `faults`: {student: why}; `left`: [(path, reason)] of what was not graded."""
    graded = [r for r in records if not r["graded"]["unreadable"]]
    body = [
        f"<h1>{html.escape(lesson)}</h1>",
        f"<p>{len(records) + len(faults)} submissions, {len(graded)} with grades.</p>",
    ]
    if any(not r["graded"]["safe"] for r in records):
        body.append(
            '<p class="warn">Graded <b>without a sandbox</b>: student code ran in the account of whoever graded.</p>'
        )
    body += _eye(records, scores, faults, left)
    if graded:
        body += _totals(graded, scores) + _exercises(graded) + _messages(graded) + _time(graded)
    body += _students(records, scores)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(lesson)}: the class</title>'
        f"<style>{STYLE}</style><body>{''.join(body)}</body></html>\n"
    )


def _eye(records, scores, faults, left):
    """What needs a person."""
    waiting = Counter(name for found in scores.values() for name in found["manual"])
    rows = [
        f"<li>{count} answers to <code>{html.escape(name)}</code> wait for a grade by hand (in formgrader).</li>"
        for name, count in waiting.items()
    ]
    for record in records:
        graded, who = record["graded"], html.escape(record["student"])
        if graded["unreadable"]:
            rows.append(f"<li><b>{who}</b>: no grade. {html.escape(graded['unreadable'])}</li>")
        elif graded["notes"]:
            rows.append(f"<li><b>{who}</b>: {rich(' '.join(graded['notes']))}</li>")
    rows += [
        f"<li><b>{html.escape(who)}</b>: not graded, through no fault of the submission ({html.escape(why)}). Grade again.</li>"
        for who, why in faults.items()
    ]
    rows += [f"<li>Left out: <code>{html.escape(path)}</code> {html.escape(why)}.</li>" for path, why in left]
    return ["<h2>Needs a person</h2>", f"<ul>{''.join(rows)}</ul>" if rows else "<p>Nothing.</p>"]


def _totals(graded, scores):
    most = max((sum(e["most"] for e in r["graded"]["checks"].values()) for r in graded), default=0)
    points = [sum(e["points"] for e in r["graded"]["checks"].values()) for r in graded]
    counts = Counter(int(p) for p in points)
    top = max(counts.values())
    bars = "".join(
        f'<div title="{counts[n]} with {n} points">{counts[n] or ""}<i style="height:{6 * counts[n] / top:.2f}em"></i>{n}</div>'
        for n in range(int(most) + 1)
    )
    return [
        "<h2>Points by checks</h2>",
        f"<p>Median {statistics.median(points):g} of {most:g}; {min(points):g} to {max(points):g}. "
        f'Written answers come on top.</p><div class="hist">{bars}</div>',
    ]


def _exercises(graded):
    """A bar for every check and for each of its parts: how many hold it."""
    rows = []
    for name, part in _columns(graded):
        entries = [r["graded"]["checks"][name] for r in graded if name in r["graded"]["checks"]]
        if part:
            outcomes = Counter(p[2] for e in entries for p in e["parts"] if p[0] == part)
            text, mean = html.escape(part), ""
        else:
            outcomes = Counter(
                PASSED if e["points"] >= e["most"] else NOT_ATTEMPTED if _untouched(e) else NOT_YET for e in entries
            )
            text = f"<b>{html.escape(name.removeprefix('check_'))}</b>"
            mean = f"{statistics.mean(e['points'] for e in entries):.2f} of {entries[0]['most']:g}"
        bar = "".join(
            f'<span title="{outcome}: {outcomes[outcome]}" style="background:{colour};width:{100 * outcomes[outcome] / max(1, len(entries)):.2f}%"></span>'
            for outcome, colour in COLOURS.items()
        )
        rows.append(
            f'<tr{" class=part" if part else ""}><td>{text}</td><td class="n">{mean}</td><td><div class="bar">{bar}</div></td>'
            f'<td class="n">{outcomes[PASSED]} of {len(entries)}</td></tr>'
        )
    legend = ", ".join(f'<span style="color:{colour}">■</span> {outcome}' for outcome, colour in COLOURS.items())
    return [
        "<h2>By exercise and part</h2>",
        f"<p>{legend}</p>",
        '<table><tr><th></th><th class="n">mean</th><th></th><th class="n">hold</th></tr>',
        *rows,
        "</table>",
    ]


def _untouched(entry):
    return bool(entry["parts"]) and all(p[2] == NOT_ATTEMPTED for p in entry["parts"])


def _messages(graded):
    """The commonest things that checks said, whatever the numbers in them."""
    seen, example = Counter(), {}
    for record in graded:
        for key, message in {
            (name, gist(p[3])): p[3]
            for name, e in record["graded"]["checks"].items()
            for p in e["parts"]
            if p[2] == NOT_YET and p[3]
        }.items():
            seen[key] += 1
            example.setdefault(key, message)
    if not seen:
        return []
    rows = [
        f'<tr><td class="n">{count}</td><td>{html.escape(name.removeprefix("check_"))}</td><td>{rich(example[name, text][:400])}</td></tr>'
        for (name, text), count in seen.most_common(MOST_MESSAGES)
    ]
    return [
        "<h2>Commonest mistakes</h2>",
        '<table><tr><th class="n">students</th><th></th><th>what one of them was told</th></tr>',
        *rows,
        "</table>",
    ]


def gist(message):
    """A message without what differs from answer to answer: its misconception where it names one, else its form."""
    message = message.removeprefix("On an input that you have not seen. ")
    sentences = [s for s in re.split(r"(?<=[.?!]) (?=[A-Z`])", message) if not re.search(r"\bexpected\b|^For ", s)]
    return " ".join(sentences) or re.sub(r"-?\d[\d.e+-]*", "#", message)


def _time(graded):
    cpu = sorted((r["graded"]["cpu"], r["student"]) for r in graded)
    memory = max((r["graded"]["memory"], r["student"]) for r in graded)
    return [
        "<h2>Time</h2>",
        f"<p>Processor time of student code: {sum(c for c, _ in cpu):.0f} s in all, median {statistics.median(c for c, _ in cpu):.2f} s, "
        f"most {cpu[-1][0]:.1f} s ({html.escape(cpu[-1][1])}). Memory: at most {memory[0]:.0f} MB ({html.escape(memory[1])}).</p>",
    ]


def _students(records, scores):
    rows = []
    for record in sorted(records, key=lambda r: r["student"]):
        who, found = record["student"], scores.get(record["student"], {"score": 0, "most": 0, "manual": []})
        waits = " + written" if found["manual"] else ""
        rows.append(
            f'<tr><td>{html.escape(who)}</td><td class="n">{found["score"]:g} of {found["most"]:g}{waits}</td></tr>'
        )
    return ["<h2>Students</h2>", "<table>", *rows, "</table>"]
