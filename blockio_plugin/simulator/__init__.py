"""Simulated networks: the production fetch rules in virtual time, against modelled peers."""
