"""The asset graph, and nothing but the graph."""
