"""What a reply to each request may be, by type, field by field. One that is anything else is a lie.

A form is a function: whether a value, as `codec.unpack` gives it, is of that form.
"""

import torch

from .codec import Thing

MOST = 2**63 - 1


def one_of(*kinds):
    return lambda value: type(value) in kinds


def optional(form):
    return lambda value: value is None or form(value)


def many(form):
    return lambda value: type(value) is list and all(map(form, value))


def row(*forms):
    return lambda value: type(value) is tuple and len(value) == len(forms) and all(f(v) for f, v in zip(forms, value))


def table(key, form):
    return lambda value: type(value) is dict and all(key(k) and form(v) for k, v in value.items())


def fields(**forms):
    return lambda value: (
        type(value) is dict and value.keys() == forms.keys() and all(f(value[k]) for k, f in forms.items())
    )


def number(value):
    return type(value) is int and 0 <= value <= MOST


def anything(value):
    return True


def module(value):
    return type(value) is Thing and value.kind == "module" and _facts(value.facts)


def seen(value):
    forms = {"missing": row(anything), "callable": row(anything), "value": row(anything, anything)}
    return type(value) is tuple and bool(value) and type(value[0]) is str and forms.get(value[0], row())(value)


nothing, text, flag, tensor = one_of(type(None)), one_of(str), one_of(bool), one_of(torch.Tensor)
_facts = fields(
    number=number,
    type=text,
    path=text,
    training=flag,
    settings=table(text, anything),
    parameters=table(text, optional(row(number, tensor, optional(number)))),
    buffers=table(text, optional(row(number, tensor, optional(number), flag))),
    children=table(text, optional(module)),
)
ran = fields(  # by `answer.Far._run`
    value=anything,
    printed=text,
    call=number,
    args=optional(one_of(tuple)),
    modules=many(optional(module)),
    sent=many(many(number)),
    buffers=table(number, tensor),
    given=optional(number),
)
FORMS = {
    "look": seen,
    "cell": fields(printed=text, raised=optional(text)),
    "read": nothing,
    "reached": many(text),
    "call": ran,
    "run": ran,
    "layers": many(fields(out=number, kernel=number, height=number, width=number, name=optional(text))),
    "backward": many(optional(tensor)),
    "forget": nothing,
}
