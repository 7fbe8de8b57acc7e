"""The platforms' JSON, typed, and its way into columns. No I/O."""
