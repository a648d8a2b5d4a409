"""`python -m mainstay.lab.load`: the load driver, for the process at the other end of its standard input."""

from mainstay.lab.load.server import main

main()
