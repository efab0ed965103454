"""Why a mirror did not give a file."""


class Unavailable(Exception):
    """One mirror failed; its text says why, in a few words. The next mirror is tried."""
