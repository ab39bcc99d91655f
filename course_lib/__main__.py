"""The command line: python3 -m course_lib COMMAND. Any Python reads this file: an old one then says what it lacks."""

import sys

if sys.version_info < (3, 11):  # nbgrader's floor
    sys.exit(
        "The course needs Python 3.11 or newer and this is Python %d.%d: get a newer one from "
        "https://www.python.org/downloads/ and run the command with that one." % tuple(sys.version_info[:2])
    )

from course_lib.start import cli

if __name__ == "__main__":
    cli.start()
