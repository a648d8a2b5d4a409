"""Data consistency and integrity: is a write lost, doubled or seen too early?"""
