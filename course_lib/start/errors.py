"""What ends a command."""


class Stop(Exception):
    """One sentence for the user, who can put it right; the command line prints it and exits with 1."""
