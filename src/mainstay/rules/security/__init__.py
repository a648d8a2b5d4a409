"""Security and compliance: who may do what, and what do they get in?"""
