"""What an answer's text refers to, read without running it."""

import ast
import dis

from ..names import named, names_in


def statements_of(source):
    """What a source's statements bind and refer to; runs nothing.

    Returns a list of (names bound, global names referred to, attributes and imports referred to, is it a definition?).
    """
    found = []
    for statement in ast.parse(source).body:
        whole = compile(ast.Module([statement], []), "<answer>", "exec")
        made = {step.argval for step in dis.get_instructions(whole) if step.opname == "STORE_NAME"}
        names, parts = names_in(whole)
        found.append((made, names, parts, isinstance(statement, (ast.FunctionDef, ast.ClassDef))))
    return found


def reached(statements, name):
    """The names that what `name` stands for refers to, after these statements of `statements_of`, in order.

    The same rule as `values.names_used`, read from the text: helpers of the same source count as part of an answer.
    """
    direct, own = {}, set()
    for made, names, parts, defines in statements:
        own |= made if defines else set()
        for each in made:
            if defines or each not in direct:
                direct[each] = (set(), set())
            direct[each][0].update(names)
            direct[each][1].update(parts)
    found, ahead, seen = set(), [name] if name in direct else [], {name}
    while ahead:
        names, parts = direct[ahead.pop()]
        found |= names | parts
        new = {n for n in names if n in direct} - seen
        seen |= new
        ahead += new
    return named(found) - own
