"""What is done to a running service, one experiment a file; being in a folder is being registered."""
