"""Files that hold samples, as streams of Arrow's record batches.

`pieces` cuts files into what is opened at once, `opened` gives a piece's rows. The suffix of a file
decides how it is read; batches are bounded in bytes, not only in rows: a row may be a number or
an image.
"""

from dreg.adapters.formats.opening import missing, opened, pieces
from dreg.adapters.formats.piece import Piece
from dreg.adapters.formats.rows import Rows

__all__ = ["Piece", "Rows", "missing", "opened", "pieces"]
