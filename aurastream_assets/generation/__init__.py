"""The generation stage of the graph."""
