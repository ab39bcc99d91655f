"""A course of one small lesson. Its check is written out in GOOD, and one line in SHORT."""

import re

GOOD = """# %% [markdown]
# # A lesson

# %% given="setup"
from course_lib.checks.lesson_02 import check

# %% [markdown] statement="overlap_count" minutes=5 level=1
# ### Who paints where?

# %% answer="overlap_count"
def overlap_count(n, k, s):
    ### BEGIN SOLUTION
    return 42
    ### END SOLUTION

# %% check="overlap_count"
check.overlap_count(overlap_count)
### BEGIN HIDDEN TESTS
check.overlap_count(overlap_count) & check.overlap_count(overlap_count, seed=7)
### END HIDDEN TESTS

# %% [markdown] quiz="field" answer="b"
# Which?
#
# - a) This.
#   > Not this.
# - b) That.
#   > Yes, that.

# %% [markdown] written="why" points=18
# Because.
"""


SHORT = re.sub(r'check="(\w+)"\n.*seed=(\d+)\)\n### END HIDDEN TESTS', r'check="\1" seed=\2', GOOD, flags=re.S)
ROW = "| [A lesson](lessons/{name}/{name}.ipynb) | 90 min | something |\n"


def course(folder, text=GOOD, name="02_tiny", settings=""):
    """A course of one lesson at `folder`."""
    (folder / "solutions").mkdir()
    (folder / "README.md").write_text(ROW.format(name=name))
    (folder / "solutions" / f"{name}.py").write_text(text, encoding="utf-8")
    (folder / "pyproject.toml").write_text(f"[tool.course]\n{settings}\n")
    return folder
