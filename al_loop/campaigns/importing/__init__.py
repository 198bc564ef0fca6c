"""Turn a labelled folder into a campaign: what it holds, its tasks, its paths and its labels, read lazily.

Knows names and label files; the rasters themselves are checked when their headers are registered.
"""

from al_loop.campaigns.importing.plan import ImportPlan
from al_loop.campaigns.importing.recognise import plan_import

__all__ = ["ImportPlan", "plan_import"]
