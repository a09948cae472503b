"""Problem: what stopped a command, told to a person in one line that holds the mend."""


class Problem(Exception):
    """Stop a command; its text is what the person reads on standard error."""
