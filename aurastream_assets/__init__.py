"""The asset graph, and nothing but the graph."""

import warnings

# Single-run backfills are the beta part that we rely on and test; sixty lines about it at each
# start would hide what matters.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy` of", category=Warning)
