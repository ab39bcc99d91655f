"""The names that code refers to, read without running it: what an answer leans on is judged by them."""

import dis
import re
import types

# What looks a name up by its text: beside one of these, the words of an answer's texts count as names.
LOOKUPS = {"getattr", "eval", "exec", "compile", "__import__", "import_module", "attrgetter", "methodcaller"}
LOOKUPS |= {"vars", "globals", "locals", "modules", "__dict__", "__getattribute__"}


def words(text):
    """The words of a text constant, marked so that `named` can tell them from names."""
    return {f"'{word}" for word in re.findall(r"[A-Za-z_]\w*", text)}


def named(found):
    """What `names_in` found, as names: words of texts where something looks names up, else none."""
    names = {name for name in found if not name.startswith("'")}
    return names | {word[1:] for word in found - names} if names & LOOKUPS else names


def names_in(code):
    """What a code object refers to, inner ones too: (global names, attributes, imports and marked words of texts)."""
    names, parts, ahead = set(), set(), [code]
    while ahead:
        code = ahead.pop()
        for step in dis.get_instructions(code):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                names.add(step.argval)
            elif step.opname == "LOAD_CONST":
                texts = step.argval if isinstance(step.argval, (tuple, frozenset)) else (step.argval,)
                parts |= {word for text in texts if isinstance(text, str) for word in words(text)}
            elif isinstance(step.argval, str) and step.opname.startswith(("LOAD_ATTR", "LOAD_METHOD", "IMPORT")):
                parts |= {step.argval, *step.argval.split(".")[1:], step.argval.split(".")[-1]}
        ahead += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return names, parts
