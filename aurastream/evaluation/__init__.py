"""Proof on recorded data: how good the scores are, by protocols that cannot see the future."""
