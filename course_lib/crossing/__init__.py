"""An answer in one process, its check in another: what crosses between the two, and how.

- `codec`: the closed format of a message: numbers, text, containers, tensors, descriptions of modules
- `answer`: the side of the answer, which runs student code and holds no check
- `references`: what an answer refers to, read from its text
- `replies`: what a reply may be, field by field
- `stand_ins`: the side of the check, where stand-ins take the place of the student's names
- `sandbox`, `fork_server`: where answers run, and the process that each of them is a fork of
"""
