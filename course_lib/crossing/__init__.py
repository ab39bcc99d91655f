"""An answer in one process, its check in another: what crosses between the two, and how.

- `codec`: the closed format of a message: numbers, text, containers, tensors, descriptions of modules
- `far`:   the side of the answer, which runs student code and holds no check
- `text`:  what an answer refers to, read from its text
- `near`:  the side of the check, where stand-ins take the place of the student's names
"""
