"""What the tests need from the system itself: programs that pip can't install."""

import os
import shutil

import pytest


def needs_system(package, *commands):
    """The path of the first of these commands that is there; package: Debian's name of what brings it.

    Without one, the test is skipped by name on a user's machine and fails where CI=true.
    """
    for command in commands or (package,):
        if path := shutil.which(command):
            return path
    missing = f"this test needs {package} (on Debian: apt-get install {package})"
    if os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)
