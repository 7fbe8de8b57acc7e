"""Running the platform: leadership, history loading, status."""
