"""What a check returns: named parts with outcomes, points and messages, and a form that shows itself."""

import base64
import html
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

NOT_ATTEMPTED, NOT_YET, PASSED = "not attempted", "not yet", "passed"
SIGNS = {PASSED: ("#00795A", "✓"), NOT_YET: ("#B84A00", "✗"), NOT_ATTEMPTED: ("#6B6B6B", "○")}  # white stands out
SHRUNK = 0.8  # a verdict's picture, of its size elsewhere


@dataclass(frozen=True)
class Result:
    """One named part's outcome. `picture`, a function or None, draws a Figure: few are ever looked at."""

    part: str
    points: float
    outcome: str
    message: str = ""
    picture: Callable | None = field(default=None, repr=False, compare=False)


class Verdict:
    """What a check returns. It shows itself as feedback; its plain text is its points, which nbgrader reads.

    `a & b` joins two verdicts of one exercise: a part passes where it passed in both.
    """

    def __init__(self, name, results, printed="", hint=""):
        self.name, self.results, self.printed, self._hint = name, tuple(results), printed, hint

    @property
    def outcome(self):
        outcomes = {r.outcome for r in self.results}
        return NOT_YET if len(outcomes) != 1 else outcomes.pop()

    @property
    def max_points(self):
        return sum(r.points for r in self.results)

    @property
    def points(self):
        """Points earned: finite, from 0 to `max_points`."""
        earned = round(sum(r.points for r in self.results if r.outcome == PASSED), 4)
        return max(0.0, min(earned, self.max_points)) if math.isfinite(earned) else 0.0

    def __and__(self, other):
        if not isinstance(other, Verdict) or [r.part for r in self.results] != [r.part for r in other.results]:
            raise TypeError("Join two verdicts of the same exercise.")
        joined = []
        for a, b in zip(self.results, other.results):
            if a.outcome == PASSED and b.outcome != PASSED:
                b = replace(b, message=f"On an input that you have not seen. {unsaid(b.message)}".strip(), picture=None)
            joined.append(b if a.outcome == PASSED else a)
        return Verdict(self.name, joined, self.printed, self._hint)

    def __repr__(self):
        return f"{self.points:g}"

    def __str__(self):
        lines = [f"{self.name}: {self.outcome}, {self.points:g} of {self.max_points:g} points"]
        for r in self.results:
            lines.append(f"  [{'x' if r.outcome == PASSED else ' '}] {r.part} ({r.points:g})")
            if r.message:
                lines.append(f"      {r.message}")
        return "\n".join(lines)

    def _repr_html_(self):
        total = f"{self.points:g} of {_points(self.max_points)}"
        rows = [f"<b>{_sign(self.outcome)} {self.outcome.capitalize()}</b> · {html.escape(self.name)} · {total}"]
        if self.outcome == NOT_ATTEMPTED:
            rows.append("Write your answer in the cell above, run that cell, then run this one again.")
        else:
            items, drawn = [], ""
            for r in self.results:
                text = f"{_sign(r.outcome if r.outcome == PASSED else NOT_YET)} {rich(r.part)}"
                if r.message:
                    text += f'<div style="margin-left:1.3em">{rich(r.message)}</div>'
                if not drawn:  # one is enough to see what is wrong, and four fill the page
                    text += (drawn := _image(r))
                items.append(f'<li style="list-style:none;margin:.2em 0">{text}</li>')
            rows.append(f'<ul style="margin:.3em 0;padding-left:.5em">{"".join(items)}</ul>')
        printed = self.printed.strip()
        if printed and self.outcome != PASSED:
            rows.append(f"Your code printed:<pre>{html.escape(printed[-600:])}</pre>")
        if self._hint and self.outcome != PASSED:
            rows.append(f"Stuck? <code>{self._hint}</code>")
        body = "".join(f"<div>{row}</div>" for row in rows)
        colour, _ = SIGNS[self.outcome]
        return f'<div class="verdict" style="border-left:4px solid {colour};padding:.3em .8em">{body}</div>'


def unsaid(message):
    """A message without the sentences that tell an input, what was expected or what came back: the mistake alone."""
    telling = r"\d|\b(For|expected|got|stopped with|holds)\b"
    return " ".join(part for part in re.split(r"(?<=[.!?]) +", message) if not re.search(telling, part))


def _sign(outcome):
    """An outcome's sign in white on its colour: as clear on a dark page as on a light one."""
    colour, sign = SIGNS[outcome]
    style = f"display:inline-block;width:1.3em;border-radius:3px;text-align:center;background:{colour};color:#ffffff"
    return f'<span style="{style}">{sign}</span>'


def _image(result):
    """What a part's picture draws, as HTML; "" where there is none, or an answer's values can't be drawn."""
    try:
        data, size = result.picture().png() if result.picture else (b"", {})
    except Exception:
        data = b""
    if not data:
        return ""
    alt = html.escape(f"{result.part}: yours beside the expected one")
    place = f'style="display:block;max-width:100%;margin-left:1.3em" width="{round(SHRUNK * size["width"])}"'
    return f'<img {place} alt="{alt}" src="data:image/png;base64,{base64.b64encode(data).decode()}">'


def _points(n):
    return f"{n:g} point" if n == 1 else f"{n:g} points"


def rich(text):
    """Escaped HTML of a message, with `code` between backticks and *stress* between asterisks."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
    return re.sub(r"(?<![\w*])\*([^\s*](?:[^*<>]*[^\s*<>])?)\*(?![\w*])", r"<em>\1</em>", text)


class Hint:
    """A hint that shows itself."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text

    def _repr_html_(self):
        return f'<div class="hint" style="border-left:4px solid #0072B2;padding:.3em .8em">{rich(self.text)}</div>'
