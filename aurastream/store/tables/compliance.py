"""What was archived, purged and forgotten, with the proof."""
