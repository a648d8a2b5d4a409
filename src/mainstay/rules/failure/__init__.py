"""Failure modes and recovery: what happens when this fails?"""
