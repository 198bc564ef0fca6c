"""One class for each subject of the label store; every SQL statement of the project is here."""
