"""Trained models, their evaluations and how earlier predictions did."""
