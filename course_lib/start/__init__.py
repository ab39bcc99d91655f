"""What runs before anything is installed, with the standard library alone: the command line, set-up, `lab`, `doctor`."""
