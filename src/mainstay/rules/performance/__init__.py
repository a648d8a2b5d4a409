"""Performance bottlenecks and scaling limits: what breaks when there is more?"""
