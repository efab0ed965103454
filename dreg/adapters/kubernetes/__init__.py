"""The Kubernetes API: Workflows and RayJobs made, watched, stopped, and what their pods say."""

from dreg.adapters.kubernetes.cluster import Cluster
from dreg.adapters.kubernetes.failures import Absent, Exists, Passing

__all__ = ["Absent", "Cluster", "Exists", "Passing"]
