"""What a service needs to survive: guards for FastAPI, SQLAlchemy 2 and psycopg 3, or for none of them.

Import the module you need (`from mainstay_runtime import breaker`); importing the package loads none of them.
"""

__version__ = "0.1.0"
