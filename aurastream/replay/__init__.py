"""A server that speaks both APIs' wire formats from a real archive."""
