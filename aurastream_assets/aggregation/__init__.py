"""The aggregation stage of the graph."""
