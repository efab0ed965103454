"""A dataset registry: versions that the data earned, fetched byte for byte.

import dreg
ds = dreg.load("wine-quality@^1.0", repo="https://github.com/acme/data-registry")
ds.to_pandas("train")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["Dataset", "autolog", "load"]

if TYPE_CHECKING:
    from dreg.api.dataset import Dataset
    from dreg.api.loading import load
    from dreg.api.tracking import autolog
else:
    # `import dreg` costs what an empty module costs; type checkers see the names above.
    _PLACES = {
        "Dataset": "dreg.api.dataset",
        "load": "dreg.api.loading",
        "autolog": "dreg.api.tracking",
    }

    def __getattr__(name):
        if name not in _PLACES:
            raise AttributeError(f"module `dreg` has no attribute `{name}`")
        from importlib import import_module

        return getattr(import_module(_PLACES[name]), name)

    def __dir__():
        return sorted({*globals(), *__all__})
