"""DVC: its files are read natively and quickly; its program is started only where it must work."""

from dreg.adapters.dvc.cache import cache_folder, cache_path, cached, read_dir_object
from dreg.adapters.dvc.outputs import Output, directories, lock_outputs, objects, tracked_files
from dreg.adapters.dvc.pipeline import Pipeline, remembered_md5

__all__ = [
    "Output",
    "Pipeline",
    "cache_folder",
    "cache_path",
    "cached",
    "directories",
    "lock_outputs",
    "objects",
    "read_dir_object",
    "remembered_md5",
    "tracked_files",
]
