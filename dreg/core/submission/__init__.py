"""What is handed to a cluster: how it is called, what it is asked for, how it is seen to be going."""

from dreg.core.submission.asked import Asked
from dreg.core.submission.identity import Kind, Submission
from dreg.core.submission.progress import Landed, Progress, State

__all__ = ["Asked", "Kind", "Landed", "Progress", "State", "Submission"]
