"""Sources: take lead files in, once, row by row; what is broken is kept with its reason.

`files` splits a file into rows, `records` reads a row by its source's definition, `landing` writes what was read.
"""

from nurture.sources.landing import Landed, Progress, land, land_inbox, rejections, source_of

__all__ = ["Landed", "Progress", "land", "land_inbox", "rejections", "source_of"]
