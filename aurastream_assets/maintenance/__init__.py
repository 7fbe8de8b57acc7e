"""The maintenance stage of the graph."""
