"""Every field of every reply, replaced by values of every other type: a session gives what it promises, or is lost."""

import contextlib
import itertools

import pytest
import torch

from course_lib.checks import values
from course_lib.crossing import replies, stand_ins
from course_lib.crossing.answer import Far
from course_lib.crossing.codec import Thing, pack, unpack
from tests.support import answers

pytestmark = pytest.mark.usefixtures("one_thread")

CODE = """
def spoil(x, items, net):
    print("heard"); items.append(4); net[0].weight.data.fill_(1.0)
    return {"sum": x.sum() * 2, "rest": [x[0], 3]}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2))
        self.width = (4, "four")
    def forward(self, x): return self.body(x)
def build(): return Net()
net = Net()
number = 7
"""
FACTS = {
    "number": 1,
    "type": "Conv2d",
    "path": "torch.nn.modules.conv.Conv2d",
    "training": True,
    "settings": {},
    "parameters": {},
    "buffers": {},
    "children": {},
}
ODD = [
    None,
    True,
    -1,
    2**70,
    10**4000,
    float("nan"),
    float("-inf"),
    1j,
    "text",
    "\ud800 \x1b[31m",
    "x" * 5000,
    [],
    (),
    {},
    [[[[]]]],
    [None] * 3,
    {(1, 2): None},
    ("value", None),
    torch.zeros(2),
    torch.zeros(0, 2**60),
    torch.full((2, 1, 3, 3), torch.nan),
    torch.zeros(2, dtype=torch.int64),
    torch.zeros(2, dtype=torch.complex64, requires_grad=True),
    torch.tensor(True),
    Thing("odd", {}),
    Thing("odd", {"type": torch.zeros(2)}),
    Thing("module", {}),
    Thing("held", {"number": 0}),
    Thing("module", FACTS),
    Thing("module", FACTS | {"parameters": {"weight": (1, torch.zeros(1, dtype=torch.int64), None)}}),
    Thing("module", FACTS | {"children": {"": Thing("module", FACTS), "a.b": None}}),
    Thing("module", FACTS | {"settings": {"forward": 1, "weight": 2, "groups": "x", "_modules": None, "__class__": 3}}),
]
COUNTS = ("out", "kernel", "height", "width")
RAISED = ("raised", ["Forged", "ValueError", "Exception"], "text", False)


class Forger:
    """In place of a connection: an honest answer in this process, whose replies to one kind of request are replaced."""

    def __init__(self, far, kind, forge):
        self.far, self.kind, self.forge = far, kind, forge

    def send_bytes(self, message):
        request = unpack(message)
        self.reply = self.far.reply(request)
        if request[0] == self.kind:
            self.reply = pack(self.forge(unpack(self.reply)))

    def poll(self, seconds):
        return True

    def recv_bytes(self, most):
        return self.reply


def texts(session):
    said = session.ask("cell", "print('one')")
    assert {k: type(v) for k, v in said.items()} in ({"printed": str, "raised": k} for k in (str, type(None)))
    assert session.ask("read", "number = 7") is None and session.ask("forget", []) is None
    assert {type(name) for name in session.ask("reached", "number")} <= {str}


def names(session):
    with contextlib.suppress(values.NotYet):  # what every check does first with what it is given
        values.plain(session.look("number"))
    session.look("build")
    session.look("net")


def calls(session):
    x, items, own = torch.ones(3, requires_grad=True), [1], torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1))
    value = session.look("spoil")(x, items, own)
    wanted = [v for v in stand_ins.tensors_in(value) if v.requires_grad and v.numel()]
    if wanted:
        with contextlib.suppress(RuntimeError):  # of torch: a value that is no longer tied to x
            torch.autograd.grad(wanted[0].abs().sum(), x, allow_unused=True)


def modules(session):
    net, x = session.look("net"), torch.ones(1, 1, 4, 4)
    net(x)
    for layer in net.layers_run(x):
        assert {k: type(v) for k, v in layer.items() if k != "name"} == dict.fromkeys(COUNTS, int)


USES = {"look": names, "call": calls, "backward": calls, "run": modules, "layers": modules}


def places(value, path=()):
    """The way to every field of a value, the whole first."""
    yield path
    inner = value.facts if isinstance(value, Thing) else value
    if isinstance(inner, dict):
        for key in inner:
            yield from places(inner[key], (*path, key))
    elif isinstance(inner, (list, tuple)):
        for place in range(len(inner)):
            yield from places(inner[place], (*path, place))


def replaced(value, path, odd):
    """A copy of a value with another one at the end of a path."""
    if not path:
        return odd
    if isinstance(value, Thing):
        return Thing(value.kind, replaced(value.facts, path, odd))
    first, *rest = path
    if isinstance(value, dict):
        return value | {first: replaced(value[first], rest, odd)}
    items = list(value)
    items[first] = replaced(items[first], rest, odd)
    return type(value)(items)


def shortened(value, path):
    """A copy without what lies at the end of a path."""
    *above, last = path
    inner = value
    for key in above:
        inner = (inner.facts if isinstance(inner, Thing) else inner)[key]
    if isinstance(inner, Thing):
        return replaced(value, above, Thing(inner.kind, {k: v for k, v in inner.facts.items() if k != last}))
    if isinstance(inner, dict):
        return replaced(value, above, {k: v for k, v in inner.items() if k != last})
    return replaced(value, above, type(inner)(v for place, v in enumerate(inner) if place != last))


@pytest.mark.parametrize("kind", replies.FORMS)
def test_no_forged_reply_stops_more_than_its_session(kind):
    far, uses = Far(answers.run(CODE, "<far>")), USES.get(kind, texts)
    known = []
    uses(stand_ins.Session(Forger(far, kind, lambda reply: known.append(reply) or reply)))
    assert known, "nothing of the kind was asked"
    lost = 0
    for turn, reply in enumerate(known):
        for forged in (*forgeries(reply), RAISED, *forgeries(RAISED)):
            asked = itertools.count()
            session = stand_ins.Session(Forger(far, kind, lambda real: forged if next(asked) == turn else real))
            try:
                uses(session)
            except stand_ins.Lost as stop:
                lost += 1
                assert stop.ending.isprintable() and len(stop.ending) <= 200
            except KeyError:
                assert forged == ("done", ("missing",)) and kind == "look"
            except Exception as error:  # one that the other side is said to have raised
                assert type(error).__module__ == stand_ins.__name__ or forged[0] == "raised", (forged, error)
    assert lost > 100


def forgeries(reply):
    for path in places(reply):
        yield from (replaced(reply, path, odd) for odd in ODD)
        if path:
            yield shortened(reply, path)
