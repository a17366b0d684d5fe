"""Helpers for the demo, the bench and the tests. The package itself never imports them."""
