"""The reporting stage of the graph."""
