"""Objects on a remote: S3, http(s) or a folder, behind one `Store`.

Every checksum is verified where bytes arrive, and a file gets its name only when all of it is
there and checks out. A store may be used from many threads at once. Kinds of remotes are in
`folder` and `bucket`; what writes to a bucket is in `uploads`.
"""

from dreg.adapters.objects.checksums import Checksums, Corrupt, corrupt
from dreg.adapters.objects.in_flight import Room, T, for_each, many
from dreg.adapters.objects.part_of import PartsOf
from dreg.adapters.objects.patience import patiently
from dreg.adapters.objects.place import PAGE, Advance, Missing, Page, Unsteady, missing
from dreg.adapters.objects.store import Store, open_store
from dreg.adapters.objects.stores import Stores
from dreg.adapters.objects.transfer import Wanted, fetch_all, fetch_one, write_all

__all__ = [
    "PAGE",
    "Advance",
    "Checksums",
    "Corrupt",
    "Missing",
    "Page",
    "PartsOf",
    "Room",
    "Store",
    "Stores",
    "T",
    "Unsteady",
    "Wanted",
    "corrupt",
    "fetch_all",
    "fetch_one",
    "for_each",
    "many",
    "missing",
    "open_store",
    "patiently",
    "write_all",
]
