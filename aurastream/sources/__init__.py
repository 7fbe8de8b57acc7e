"""Clients of the platforms' APIs, their ports, and the rules of using them within quota."""
