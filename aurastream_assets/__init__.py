"""The asset graph, and nothing but the graph."""

import gc
import warnings

# Loading the graph makes a quarter of a million objects that stay: to look through them at every
# 700 new ones is a tenth of the start of each run. Cycles are still found, later.
gc.set_threshold(300_000, 50, 50)

# Single-run backfills and links to code are the beta parts that we rely on and test; sixty lines
# about them at each start would hide what matters.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy` of", category=Warning)
warnings.filterwarnings("ignore", message="Class `.*CodeReference.*` is", category=Warning)
