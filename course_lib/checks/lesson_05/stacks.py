"""Lesson 05: what a stack of dilated layers reaches, along one axis."""


def offsets(rates):
    """The offsets, along one axis, that a stack of 3x3 layers reaches: a set."""
    places = {0}
    for rate in rates:
        places |= {p + rate for p in places} | {p - rate for p in places}
    return places


def field_of(rates):
    return 1 + 2 * sum(rates)


def is_whole(rates):
    return len(offsets(rates)) == field_of(rates)
