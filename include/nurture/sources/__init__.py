"""Sources: take lead files and tables in, once, row by row; what is broken is kept with its reason.

`files` and `sheets` split a file into rows, `queries` reads them from another database, `records` reads a row by its
source's definition, `landing` writes what was read, and `inbox` finds the files.
"""

from nurture.sources.inbox import land, land_inbox, source_of
from nurture.sources.landing import Landed, Progress, Rejection, rejections
from nurture.sources.misspelt import misspelt
from nurture.sources.queries import land_query

__all__ = ["Landed", "Progress", "Rejection", "land", "land_inbox", "land_query", "misspelt", "rejections", "source_of"]
