"""Whose a file is: the names that platforms give to what they hand out, and the roster that they are looked up in.

A platform's number tells accounts apart. Moodle numbers a participant anew in each assignment, Canvas once. A display
name is what its owner typed: it is compared with names alone, never with ids or e-mail addresses.
"""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass

MOODLE = re.compile(r"^(?P<name>.+?)_(?P<id>\d+)_assignsubmission_file(_(?P<file>.*))?$")
CANVAS = re.compile(
    r"^((?P<name>[^_]+|\w+?(?=_(LATE_)?\d{3,}_\d{4,}_))_(?P<late>LATE_)?(?P<id>\d+)|(?P<too>LATE_)?(?P<anon>anon_[^_]+))"
    r"_\d+_(?P<file>.+)$"
)
# what Moodle writes in place of a name while marking is blind, in its commonest languages
NOBODY = {"participant", "participants", "teilnehmer", "teilnehmerin", "teilnehmende", "participante", "partecipante"}
NOBODY |= {
    "deelnemer",
    "deltager",
    "deltaker",
    "deltagare",
    "osallistuja",
    "uczestnik",
    "účastník",
    "студент",
    "учасник",
}
NOBODY |= {"участник", "参加者", "anonymous", "anonym", "hidden"}
# what browsers, drives and file managers add to a second file, before a name or behind it
COPIES = r"copy|kopie|copie|copia|cópia|kopia|kopi|kopio|копия|コピー|副本"
BEFORE = re.compile(rf"^({COPIES})( ?\(\d+\))? (of|von|de|av|van|di|d')\s*", re.I)
BEHIND = re.compile(rf"[ _]?\((?P<a>\d+)\)$|[ _-]+({COPIES}) ?(?P<b>\d*)$|[ _-]+\(({COPIES})( ?(?P<c>\d+))?\)$", re.I)
NUMBER = re.compile(r"-(?P<a>\d+)$")  # Canvas' and the shell's; only behind a lesson's name, as names have numbers too
MOST_BYTES = 80  # of a student's id: it names folders and files


@dataclass(frozen=True)
class Claim:
    """Whom a file's path names."""

    name: str  # as it stands there; "" where it names nobody
    account: str = ""  # the platform's, such as "moodle 4821"
    late: bool = False  # Canvas says so


def of_platform(parts, lessons):
    """The `Claim` of the first part of a path that Moodle or Canvas has named; None where neither has."""
    for part in parts:  # from the outside in: what a student packs may bear another's name
        if found := MOODLE.match(part):
            return Claim(found["name"], f"moodle {int(found['id'])}")
        found = CANVAS.match(part)
        if found and not lesson_in(found["name"] or "", lessons):
            late = bool(found["late"] or found["too"])
            return Claim(found["name"] or "", f"canvas {found['id'] or found['anon']}", late)
    return None


def lesson_in(text, lessons):
    """The lesson that a text names, None where it names none."""
    text = unicodedata.normalize("NFC", text).lower()
    return next((name for name in lessons if name.lower() in text), None)


def original(stem, lessons):
    """(a file's name without what marks it as a copy, the copy's number: 0 for an original)."""
    rest, number = unicodedata.normalize("NFC", stem).strip(), 0
    while True:
        behind = BEHIND.search(rest)
        known = lesson_in(rest, lessons)
        if known and re.search(rf"{re.escape(known)}-\d+$", rest, re.I):
            behind = NUMBER.search(rest)
        if behind and behind.start():
            given = next((int(n) for n in behind.groupdict().values() if n), 1)
            rest, number = rest[: behind.start()].rstrip(), max(number, given)
        elif before := BEFORE.match(rest):
            rest, number = rest[before.end() :], max(number, 1)
        else:
            return rest, number


def tidy(name, tail=""):
    """A student's id: a name that is safe as a folder, as nbgrader wants it; `tail` is kept, whatever its length."""
    name = unicodedata.normalize("NFC", name.encode(errors="replace").decode()).strip()
    name = re.sub(r"\s+", "_", re.sub(r"[^\w\s.@-]", "_", name)).strip("._-")
    room = MOST_BYTES - len(tail)
    if len(name.encode()) > room:  # two long names may begin alike
        mark = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name.encode()[: room - 9].decode(errors='ignore')}-{mark}"
    return name + tail


def _key(name):
    """What of a name decides whether it is the same one: letters and digits."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(c for c in plain if c.isalnum())


def _words(name):
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


class Roster:
    """The students that the gradebook knows, the sheets that platforms made, and who was whom before.

    students  (id, first name, last name, e-mail) of each
    rows      {account: (name, [e-mail addresses, login ids and ids])} from platforms' sheets
    before    {(lesson, account): (id, name)} of what is graded; the lesson is None where it does not matter
    """

    def __init__(self, students=(), rows=None, before=None):
        self.rows, self.before = rows or {}, before or {}
        self.ids, self.signs, self.fronts = {}, defaultdict(set), defaultdict(set)
        self.levels = [defaultdict(set) for _ in range(3)]
        for student, first, last, email in students:
            name, email = " ".join(filter(None, (first, last))), email or ""
            turned = " ".join(filter(None, (last, first)))
            self.ids[student] = name
            for sign in (student, email):
                self.signs[sign.casefold()].add(student)
            self.fronts[email.partition("@")[0].casefold()].add(student)
            if not email:
                self.fronts[f"{student.casefold()}@"].add(student)
            for level, text in zip(
                self.levels, (_words(name or student), _key(name or student), _key(turned or student))
            ):
                level[text].add(student)
        for level in (*self.levels, self.signs, self.fronts):
            level.pop("", None)

    def named(self, name):
        """The ids of those who are called so: exactly, else but for accents, else last name first."""
        parts = [name, *(name[m.end() :] for m in re.finditer("-", name))]  # Moodle puts a group before the name
        for text in parts:
            for level, write in zip(self.levels, (_words, _key, _key)):
                if found := level.get(write(text)):
                    return found
        return set()

    def signed(self, texts):
        """The ids of those whose id, e-mail address or login one of these is.

        A login may be an address' front. An address' front may be an id whose own address is not known: anybody can
        have an address that begins with another's id.
        """
        found = set()
        for text in filter(None, (text.strip().casefold() for text in texts)):
            front = text.partition("@")[0] + "@" * ("@" in text)
            found |= self.signs.get(text) or self.fronts.get(front, set())
        return found

    def find(self, claim, lesson):
        """(an id, how it was found: "sheet", "before", "name", "" for one made up, why that is unclear)."""
        known, signs = self.rows.get(claim.account, ("", ()))
        found = self.signed(signs)
        if len(found) == 1:
            return (*found, "sheet", "")
        name = claim.name
        if not claim.account:  # a folder or file that an instructor may have named by id
            found = {name} & self.ids.keys() or self.named(name) | self.signed([name])
            made = tidy(name)
        else:
            nobody = not name or _key(name) in map(_key, NOBODY)
            found = self.named(known) or (set() if nobody else self.named(name))
            number = "_" + claim.account.split()[1]
            plain = claim.account.startswith("moodle") and not nobody
            made = tidy(name) if plain else tidy(name or "anonymous", number)
        earlier, called = self.before.get((lesson, claim.account)) or self.before.get((None, claim.account)) or ("", "")
        earlier = earlier if _fits(called, name) else ""
        if earlier and earlier != made and earlier == tidy(name, "_" + claim.account.split()[1]):
            return earlier, "before", "several accounts had this name"
        if len(found) == 1 and not (earlier and self.ids.get(*found) == ""):
            return (*found, "name", "")
        if earlier:
            return earlier, "before", ""
        if len(found) > 1:
            several = f"the gradebook knows several students of this name: {', '.join(sorted(found))}"
            return made, "", several
        taken = claim.account and self.ids.get(made)  # another's id, whose name is not this one
        return (tidy(name, number), "", f"{made} is the id of {taken}") if taken else (made, "", "")


def settle(claims, roster):
    """[(a student's id, why a person must look or "")] for [(Claim, lesson)], alike for all files of an account."""
    found = [roster.find(claim, lesson) for claim, lesson in claims]
    takers = defaultdict(set)
    for (lesson, account), (student, _) in roster.before.items():
        takers[_scope(account, lesson), student].add(account)
    for (claim, lesson), (student, _, _) in zip(claims, found):
        if claim.account:
            takers[_scope(claim.account, lesson), student].add(claim.account)
    shared = {student for (_, student), accounts in takers.items() if len(accounts) > 1}
    numbered = {known[1] for student in roster.ids if (known := re.match(r"(.+)_\d+$", student))}
    listed = Counter(_key(name) for name, _ in roster.rows.values())
    settled = []
    for (claim, _), (student, how, why) in zip(claims, found):
        if claim.account and how != "sheet":
            moodle = claim.account.startswith("moodle") and _key(claim.name) not in map(_key, NOBODY)
            unsure = moodle and how != "before" and tidy(claim.name) in numbered
            if student in shared or unsure or listed[_key(claim.name)] > 1:
                why = f"several accounts have this name; {claim.account.title()} is this one's number"
            if why and how != "before":
                student = tidy(claim.name, "_" + claim.account.split()[1])
        settled.append((student, why))
    return settled


def _fits(one, other):
    """Whether two names of an account can be one person's: two courses may use one number."""
    one, other = _key(one), _key(other)
    return one.endswith(other) or other.endswith(one) or bool({one, other} & {*map(_key, NOBODY)})


def _scope(account, lesson):
    """Where a platform's number means one account: Moodle's within an assignment, Canvas' everywhere."""
    platform = account.partition(" ")[0]
    return (platform, lesson if platform == "moodle" else None)
