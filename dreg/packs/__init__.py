"""Small files of a release in packs: made by a release, read by a fetch, needed by neither."""
