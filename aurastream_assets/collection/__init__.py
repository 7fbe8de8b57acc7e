"""The collection stage of the graph."""
