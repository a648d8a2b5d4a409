"""A migration that needs an extension of PostgreSQL that no server has."""

import os

import psycopg

with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("CREATE EXTENSION no_such_extension")
