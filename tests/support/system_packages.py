"""What the tests need from the machine itself: programs that pip can't install, and a way to packages."""

import os
import shutil

import pytest

from tests.support.nobody import package_places


def needs_system(package, *commands):
    """The path of the first of these commands that is there; package: Debian's name of what brings it.

    Without one, the test is skipped by name on a user's machine and fails where CI=true.
    """
    for command in commands or (package,):
        if path := shutil.which(command):
            return path
    without(f"this test needs {package} (on Debian: apt-get install {package})")


def needs_packages():
    """Variables by which pip finds packages from here; without a way to any, as in `needs_system`."""
    places = package_places()
    if places is None:
        without("this test installs packages, and pip can reach none from here: see to the network, index and proxy")
    return places


def without(missing):
    """The test can't run here: skipped by name on a user's machine, a failure where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)
