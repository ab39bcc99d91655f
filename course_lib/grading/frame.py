"""What the builder puts into every lesson so that it can be launched anywhere: badges, the start on Colab, handing in.

settings  {"repository": "owner/name" or "", "branch": the branch or tag that a lesson is opened at}
"""

import re

SETUP = """# @title Set-up: run this cell first
# On Colab, get the course and keep Colab's own torch. Elsewhere this does nothing.
try:
    import google.colab
except ImportError:
    pass
else:
    {install}

from course_lib import notebook

{lesson}

notebook.welcome()"""
INSTALL = """from IPython import get_ipython

    get_ipython().run_line_magic("pip", "install -q {archive}")"""
NO_ADDRESS = (
    'raise ImportError("This copy does not say where its course is: open a released lesson by its link to Colab.")'
)


def badges(lesson, settings):
    """Launch links for a lesson; empty where no repository is set. Binder opens the copy that binder/start makes."""
    repository, branch = _address(settings)
    if not repository:
        return ""
    path = f"{lesson}/{lesson}.ipynb"
    copy = f"work/{path}"  # in the student's home folder
    colab = f"https://colab.research.google.com/github/{repository}/blob/{branch}/lessons/{path}"
    binder = f"https://mybinder.org/v2/gh/{repository}/{branch}?urlpath=lab/tree/{copy}"
    return f"[Open in Colab]({colab}) · [Open in Binder]({binder})"  # words: offline, a badge would be a broken picture


def around(setup, settings):
    """A lesson's set-up cell: on Colab the course's package comes first; last, what is special about the place."""
    repository, branch = _address(settings)
    archive = f"https://github.com/{repository}/archive/{branch}.zip"
    return SETUP.format(lesson=setup, install=INSTALL.format(archive=archive) if repository else NO_ADDRESS)


def without_address(setup):
    """A released set-up cell as it is in a checkout, so that the two can be compared."""
    start, end = INSTALL.format(archive="|").split("|")
    return re.sub(rf"{re.escape(start)}https://github\.com/[^\"\s]+{re.escape(end)}", NO_ADDRESS, setup)


def hand_in(lesson):
    """The last cell: it writes the file to hand in."""
    return f'from course_lib import notebook\n\nnotebook.hand_in("{lesson}")'


def _address(settings):
    settings = settings or {}
    return settings.get("repository", ""), settings.get("branch", "main")
