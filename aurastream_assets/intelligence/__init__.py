"""The intelligence stage of the graph."""
