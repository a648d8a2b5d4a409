"""The rules: a folder for each analysis, a file for each rule; being in the folder is being registered."""
