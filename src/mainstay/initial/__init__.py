"""`mainstay prove --init`: a first `[prove]`, guessed from what can be read.  Nothing of it is run."""
