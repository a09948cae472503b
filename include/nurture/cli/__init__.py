"""The command line `nurture`, by noun: `nurture up`, `nurture leads review`, `nurture run dispatch`."""

from nurture.cli.main import main

__all__ = ["main"]
